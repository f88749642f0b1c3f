package fetch

import "testing"

// TestTelling cuts headers anywhere.
func TestTelling(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"Subject: a\r\nMessage-ID: <1@x>\r\n\r\n", true},
		{"message-id:\r\n <1@x>\r\n\r\n", true},
		{"RECEIVED: from a by b; now\r\n\r\n", true},
		{"Subject: a\r\nDate: today\r\n\r\nMessage-ID: in the text\r\n", false},
		{"\r\nReceived: in the text\r\n", false},
		{"X-Message-ID: 1\r\nReceived-SPF: none\r\nSubject: Received: \r\n Received: folded\r\n\r\n", false},
		{"Subject: no line end", false},
		{"", false},
	} {
		for size := 1; size <= max(len(tt.text), 1); size++ {
			var names telling
			for rest := tt.text; rest != ""; rest = rest[min(size, len(rest)):] {
				names.Write([]byte(rest[:min(size, len(rest))]))
			}
			if names.found != tt.want {
				t.Errorf("%q in pieces of %d: %v", tt.text, size, names.found)
			}
		}
	}
}
