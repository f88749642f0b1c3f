package state

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A power cut may lose some blocks of a write and keep the Begin behind them, which tells what was
// recorded before it: then the one before it holds.
func TestHoleInRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "work.uidl")
	f := mustOpen(t, path)
	begun, err := f.Begin("first", "a")
	check(t, err)
	before := f.tail
	check(t, f.Record("second", "b", full("a"), full("b"), full("c")))
	whole, err := os.ReadFile(path)
	check(t, err)
	after := f.tail
	behind := int64(bytes.LastIndex(whole[:after], []byte("\nbegin=")) + 1)
	check(t, f.Close())
	for size := int64(1); size < behind-before; size += 7 {
		for at := before; at+size < behind; at += 5 {
			text := bytes.Clone(whole)
			clear(text[at : at+size])
			f := mustOpen(t, put(t, text, ""))
			b, open := f.Interrupted()
			if !open || b.Nonce != begun.Nonce || b.Hint != "first" || b.Next != "a" {
				t.Fatalf("zeros from %d to %d: %v, %+v", at, at+size, open, b)
			}
			check(t, f.Close())
		}
	}
	f = mustOpen(t, put(t, whole, ""))
	if b, open := f.Interrupted(); !open || b.Hint != "second" || b.Next != "b" {
		t.Errorf("%v, %+v", open, b)
	}
	check(t, f.Close())
}
