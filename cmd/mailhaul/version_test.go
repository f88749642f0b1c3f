package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersionText(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567"
	platform := runtime.GOOS + "/" + runtime.GOARCH + "\n"
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "-trimpath", Value: "true"},
			{Key: "vcs", Value: "git"},
			{Key: "vcs.revision", Value: revision},
			{Key: "vcs.time", Value: "2026-03-01T08:00:00Z"},
			{Key: "vcs.modified", Value: modified},
		}
	}
	for _, test := range []struct {
		name, version string
		settings      []debug.BuildSetting
		want          string
	}{
		{"installed by go install", "v1.2.3", nil, "mailhaul v1.2.3\ngo1.26.0 " + platform},
		{"a tag", "v1.2.3", vcs("false"),
			"mailhaul v1.2.3\ncommit " + revision + " of 2026-03-01T08:00:00Z; go1.26.0 " + platform},
		{"after a tag, changed", "v1.2.4-0.20260301080000-0123456789ab+dirty", vcs("true"),
			"mailhaul v1.2.4-0.20260301080000-0123456789ab+dirty\ncommit " + revision + " of 2026-03-01T08:00:00Z, modified; go1.26.0 " + platform},
		{"no repository", "(devel)", nil, "mailhaul (devel)\ngo1.26.0 " + platform},
		{"no module", "", nil, "mailhaul (devel)\ngo1.26.0 " + platform},
	} {
		info := &debug.BuildInfo{GoVersion: "go1.26.0", Settings: test.settings}
		info.Main.Version = test.version
		if got := versionText(info); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}
