package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// named are the files of the repository and the units in a text. A unit is named as it is
// installed; an instance is one of its template, which is installed from the same file.
var (
	namedFile = regexp.MustCompile("(?:\\.package|\\.ci|\\./(?:cmd|fetch|deliver)|`(?:cmd|fetch|deliver))(?:/[a-z0-9]+)*|config\\.example\\.toml")
	namedUnit = regexp.MustCompile(`(--user [a-z -]*)?\b(mailhaul)(?:@\w*)?(\.service|\.timer)\b`)
)

// What a reader is told to look at, to run or to enable must be there.
func TestFilesAndUnitsOfTheReadmeExist(t *testing.T) {
	const repository = "../.."
	for _, name := range []string{"README.md", "man/mailhaul.1", "man/mailhaul.toml.5", "config.example.toml"} {
		text, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		files, units := 0, 0
		for _, path := range namedFile.FindAllString(string(text), -1) {
			files++
			if path[0] == '`' {
				path = path[1:]
			}
			if _, err := os.Stat(filepath.Join(repository, path)); err != nil {
				t.Errorf("%s names %s: %v", name, path, err)
			}
		}
		for _, unit := range namedUnit.FindAllStringSubmatch(string(text), -1) {
			units++
			manager := "system"
			if unit[1] != "" {
				manager = "user"
			}
			if _, err := os.Stat(filepath.Join(repository, ".package/systemd", manager, unit[2]+unit[3])); err != nil {
				t.Errorf("%s names the unit %s: %v", name, unit[0], err)
			}
		}
		if name == "README.md" && (files < 5 || units < 4) {
			t.Errorf("%s: %d files and %d units were found: the test does not see them", name, files, units)
		}
	}
}
