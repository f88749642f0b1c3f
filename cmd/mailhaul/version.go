package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// buildInfo is what the go command has written into this program, never nil.
func buildInfo() *debug.BuildInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return info
}

// versionName is the version of the module that was installed or, in a clone, the tag or the
// pseudo-version of its commit; "(devel)" where the go command did not look at the repository
// (-buildvcs=false, an unpacked archive, a second work tree).
func versionName(info *debug.BuildInfo) string {
	if info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// versionText is what --version prints. Scripts read the first line, which is the name and the
// version alone; the second is for the report of a defect.
func versionText(info *debug.BuildInfo) string {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	var built []string
	if revision := settings["vcs.revision"]; revision != "" {
		commit := "commit " + revision
		if t := settings["vcs.time"]; t != "" {
			commit += " of " + t
		}
		if settings["vcs.modified"] == "true" {
			commit += ", modified"
		}
		built = append(built, commit)
	}
	built = append(built, fmt.Sprintf("%s %s/%s", info.GoVersion, runtime.GOOS, runtime.GOARCH))
	return fmt.Sprintf("mailhaul %s\n%s\n", versionName(info), strings.Join(built, "; "))
}
