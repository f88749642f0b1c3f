package deliver

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// staleAfter is the age at which a file in tmp/ belongs to no delivery that still goes on.
const staleAfter = 36 * time.Hour

// maxHost bounds the host in a name, which may have 255 octets and gets flags from readers.
const maxHost = 128

// maildirName makes the name of a message: SECONDS.M<microseconds>I<ID>R<random>.HOST. By the id a
// message is found after a crash; the random digits make the name one that nothing else has. By
// seconds and microseconds readers sort what they see for the first time.
func maildirName(now time.Time, id, host string) string {
	var r [8]byte
	rand.Read(r[:])
	return fmt.Sprintf("%d.M%06dI", now.Unix(), now.Nanosecond()/1000) + id + "R" + hex.EncodeToString(r[:]) + "." + host
}

// maildirHost makes a host's name fit to stand in a file's. The escapes are those of the
// maildir specification; a comma begins what Maildir++ puts behind.
func maildirHost(host string) string {
	var b strings.Builder
	for i := 0; i < len(host) && b.Len() < maxHost; i++ {
		switch c := host[i]; {
		case c == '/':
			b.WriteString(`\057`)
		case c == ':':
			b.WriteString(`\072`)
		case c <= ' ' || c >= 0x7f || c == ',':
			b.WriteByte('_')
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() == 0 {
		return "localhost"
	}
	return b.String()
}

// ownName returns the id in a name that maildirName has made; "" if it has not.
func ownName(name string) string {
	when, rest, ok := strings.Cut(name, "I")
	seconds, micro, some := strings.Cut(when, ".M")
	if !ok || !some || seconds == "" || len(micro) != 6 || strings.Trim(seconds+micro, "0123456789") != "" {
		return ""
	}
	if len(rest) < idLen+1+16+2 || rest[idLen] != 'R' || rest[idLen+1+16] != '.' {
		return ""
	}
	if !isHex([]byte(rest[:idLen])) || !isHex([]byte(rest[idLen+1:idLen+1+16])) {
		return ""
	}
	return rest[:idLen]
}

// nameID looks for an id of this nonce anywhere in a name: readers put flags behind it, and some
// put something in front.
func nameID(name, nonce string) string {
	for {
		i := strings.Index(name, nonce)
		if i < 0 || len(name) < i+idLen {
			return ""
		}
		if id := name[i : i+idLen]; isHex([]byte(id)) {
			return id
		}
		name = name[i+1:]
	}
}

// removeOld removes what killed runs have left in tmp, if it is ours and old. A failure does no
// harm: the next run tries again.
func removeOld(tmp string, now time.Time) {
	names, err := readNames(tmp)
	if err != nil {
		return
	}
	for _, name := range names {
		if ownName(name) == "" {
			continue
		}
		path := filepath.Join(tmp, name)
		if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && now.Sub(st.ModTime()) > staleAfter {
			os.Remove(path)
		}
	}
}

// readNames returns the names in a directory, in no order.
func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: dir, Err: err}
	}
	return names, nil
}
