package deliver

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Batches of messages of 4 kB, to the disk and into new/: as they are synced, and each by itself
// as where syncfs is not sure. The directory is on a disk (/tmp may be memory).
func BenchmarkMaildir(b *testing.B) {
	for _, n := range []int{1, 4, syncFew, 2 * syncFew, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkMaildir(b, n, false) })
		b.Run(fmt.Sprint(n, "/each"), func(b *testing.B) { benchmarkMaildir(b, n, true) })
	}
}

func benchmarkMaildir(b *testing.B, n int, each bool) {
	dir, err := os.MkdirTemp("/var/tmp", "deliver")
	if err != nil {
		b.Skip(err)
	}
	defer os.RemoveAll(dir)
	text := "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 56)
	d, err := NewMaildir(dir, MaildirOptions{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	d.each = each
	b.SetBytes(int64(n * len(text)))
	for b.Loop() {
		for i := range n {
			m, _ := testMessage(i)
			m.Body = strings.NewReader(text)
			if err := d.Deliver(context.Background(), m); err != nil {
				b.Fatal(err)
			}
		}
		if got, err := d.Commit(context.Background()); err != nil || len(got) != n {
			b.Fatal(len(got), err)
		}
		b.StopTimer()
		names, _ := readNames(d.path("new"))
		for _, name := range names {
			os.Remove(d.path("new", name))
		}
		b.StartTimer()
	}
}
