package main

import (
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// literally makes of a path a pattern that matches it alone.
var literally = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)

// include gives the files that `include` names, sorted by path within each pattern, each once.
// Patterns are relative to the file that names them. A pattern may match nothing, a plain name
// must exist.
func (l *loader) include(f *configFile) []string {
	v, ok := f.table["include"]
	if !ok {
		return nil
	}
	at := toml.Key{"include"}
	patterns, err := asTexts(v)
	if err != nil {
		l.report(f, at, "%v", err)
		return nil
	}
	var files []string
	for _, pattern := range patterns {
		dir, isPattern := filepath.Dir(f.path), strings.ContainsAny(pattern, "*?[")
		if isPattern {
			dir = literally.Replace(dir)
		}
		full, err := expandPath(pattern, dir)
		if err != nil {
			l.report(f, at, "%v", err)
			continue
		}
		if !isPattern {
			files = append(files, full)
			continue
		}
		found, err := filepath.Glob(full)
		if err != nil {
			l.report(f, at, "malformed pattern")
			continue
		}
		found = slices.DeleteFunc(found, func(file string) bool { return hidden(full, file) })
		sort.Strings(found)
		files = append(files, found...)
	}
	var each []string
	for _, file := range files {
		if !slices.Contains(each, file) && !sameFile(file, f.path) && !sameFile(file, l.replaces) {
			each = append(each, file)
		}
	}
	return each
}

// hidden tells whether a file that a pattern matches, or a directory above it, has a name that begins with a dot
// where the pattern has none. As in a shell: what an editor or a package manager has there for a while is none of it.
func hidden(pattern, file string) bool {
	parts := strings.Split(pattern, "/")
	for i, name := range strings.Split(file, "/") {
		if strings.HasPrefix(name, ".") && i < len(parts) && !strings.HasPrefix(parts[i], ".") {
			return true
		}
	}
	return false
}

// sameFile keeps a pattern like "*.toml" from including the file that it stands in.
func sameFile(a, b string) bool {
	ai, err := os.Stat(a)
	if err != nil {
		return false
	}
	bi, err := os.Stat(b)
	return err == nil && os.SameFile(ai, bi)
}

// included refuses in an included file what belongs in the main one: it holds accounts alone, so
// that the order of the files changes nothing.
func (l *loader) included(f *configFile) {
	for _, key := range f.under(nil) {
		switch key[0] {
		case "accounts":
		case "state_dir", "include", "defaults", "accounts_from":
			l.report(f, key, "stands in the main file alone")
		default:
			l.unknown(f, key, []string{"accounts"})
		}
	}
}
