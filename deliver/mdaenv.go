package deliver

import (
	"os"
	"strconv"
	"strings"
)

// inherited are the variables that a command is given of ours. What else there is may be a secret,
// or change what it does.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"}

// environment is what a command finds about sp, of which size octets are on its standard input.
func environment(sp *spooled, v *values, size int64) []string {
	var env []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "LC_") {
			env = append(env, kv)
		}
	}
	env = append(env,
		"MAILHAUL_ACCOUNT="+v.account,
		"MAILHAUL_UID="+v.uid,
		"MAILHAUL_ID="+sp.ID,
		"MAILHAUL_SENDER="+v.sender,
		"MAILHAUL_RECIPIENT="+v.recipient,
		"MAILHAUL_SIZE="+strconv.FormatInt(size, 10))
	if sp.InDoubt {
		env = append(env, "MAILHAUL_IN_DOUBT=1")
	}
	return env
}
