package policy

import (
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestNearest(t *testing.T) {
	among := []string{"capabilities", "cpus", "memory", "network", "swap"}
	for _, row := range []struct{ name, word, want string }{
		{"the word itself", "swap", "swap"},
		{"two letters swapped", "memroy", "memory"},
		{"two letters swapped in a short word", "swpa", "swap"},
		{"a letter too many", "swapp", "swap"},
		{"a letter too few", "cpu", "cpus"},
		{"a letter wrong", "netwerk", "network"},
		{"case", "MEMORY", "memory"},
		{"one slip in three letters and no more", "memxxx", ""},
		{"nothing like it", "zebra", ""},
		{"nothing", "", ""},
		{"too long to look at", "capabilitiescapabilitiescapabilitiescapabilitiescapabilitiescapabilities", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Nearest(row.word, among); got != row.want {
				t.Errorf("Nearest(%q) = %q, want %q", row.word, got, row.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	for _, row := range []struct {
		name string
		err  Error
		want string
	}{
		{"everything", Error{File: "f", Line: 7, Column: 3, Path: "a.b", Msg: "m", Nearest: "n"}, `f:7:3: a.b: m (did you mean "n"?)`},
		{"no column", Error{File: "f", Line: 7, Msg: "m"}, "f:7: m"},
		{"no place", Error{File: "f", Path: "a", Msg: "m"}, "f: a: m"},
		{"no file", Error{Path: "a", Msg: "m"}, "a: m"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.err.Error(); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestUnitsString(t *testing.T) {
	for _, row := range []struct{ got, want string }{
		{Size(0).String(), "0"},
		{Size(-1).String(), "unlimited"},
		{Size(1).String(), "1"},
		{Size(1023).String(), "1023"},
		{Size(1536).String(), "1536"},
		{Size(3 << 10).String(), "3k"},
		{Size(1536 << 20).String(), "1536m"},
		{Size(2 << 30).String(), "2g"},
		{Size(5 << 40).String(), "5t"},
		{CPUs(0).String(), "unlimited"},
		{CPUs(2000).String(), "2"},
		{CPUs(500).String(), "0.5"},
		{CPUs(1025).String(), "1.025"},
		{Count(0).String(), "unlimited"},
		{Count(100).String(), "100"},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}

// Also a value and a key that look like something else stay what they are.
func TestYAMLText(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"git", "git"},
		{"--version", "--version"},
		{"a:b", "a:b"},
		{"/a/b", "/a/b"},
		{"", `""`},
		{"true", `"true"`},
		{"no", `"no"`},
		{"1024", `"1024"`},
		{"0x1F", `"0x1F"`},
		{"1:30", `"1:30"`},
		{"2030-01-31", `"2030-01-31"`},
		{"-5", `"-5"`},
		{"a: b", `"a: b"`},
		{"a:", `"a:"`},
		{"# a", `"# a"`},
		{"*a", `"*a"`},
		{" a ", `" a "`},
		{"it's", `"it's"`},
		{`^\d+$`, `'^\d+$'`},
		{`it's "\d"`, `'it''s "\d"'`},
		{"a\nb\x00", `"a\nb\x00"`},
		{"a\u00a0\u2028\ufeff", `"a\u00a0\u2028\ufeff"`},
		{"\U0001F600", `"😀"`},
	} {
		t.Run(row.text, func(t *testing.T) {
			got := yamlText(row.text)
			if got != row.want {
				t.Errorf("%q is written %s, want %s", row.text, got, row.want)
			}
			var back map[string][]string
			if err := yaml.Unmarshal([]byte(got+": ["+got+"]"), &back); err != nil {
				t.Fatal(err)
			}
			if list := back[row.text]; len(list) != 1 || list[0] != row.text {
				t.Errorf("%s is read as %q", got, back)
			}
		})
	}
}
