package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

func newValue(t *testing.T, s string) *Value {
	t.Helper()
	v, err := New([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// printings are the ways in which a value could end up in a text.
func printings(t *testing.T, v *Value) map[string]string {
	t.Helper()
	all := map[string]string{"String": v.String(), "GoString": v.GoString(), "Print": fmt.Sprint(v, *v)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s", "%!", "%p"} {
		all[verb] = fmt.Sprintf(verb, v) + fmt.Sprintf(verb, *v)
		all["field "+verb] = fmt.Sprintf(verb, struct {
			v *Value
			w Value
			X any
		}{v, *v, v})
	}
	for name, x := range map[string]any{"json": v, "json struct": struct{ V Value }{*v}} {
		data, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "v", v, "w", *v, slog.Any("x", []any{v}))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "v", v, "w", *v, slog.Any("x", []any{v}))
	all["slog"] = log.String()
	func() {
		defer func() { all["panic"] = fmt.Sprint(recover()) }()
		panic(v)
	}()
	return all
}

func TestValuePrintsAsSecret(t *testing.T) {
	secret := plant()
	for how, text := range printings(t, newValue(t, secret)) {
		assertAbsent(t, how, text, secret)
		if strings.HasPrefix(how, "field") {
			continue
		}
		if !strings.Contains(text, "[secret]") && how != "%!" && how != "%p" {
			t.Errorf("%s: %q does not say [secret]", how, text)
		}
	}
}

func TestNewWipesWhatItTook(t *testing.T) {
	b := []byte("0123456789")
	v, err := New(b)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if !bytes.Equal(b, make([]byte, 10)) {
		t.Errorf("%q is left", b)
	}
	if got := reveal(t, v); got != "0123456789" {
		t.Errorf("got %q", got)
	}
}

func TestFill(t *testing.T) {
	long := strings.Repeat("x", MaxSize)
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "abc", "abc"},
		{"line", "abc\n", "abc"},
		{"CRLF", "abc\r\n", "abc"},
		{"two lines keep one break", "abc\n\n", "abc\n"},
		{"CR alone stays", "abc\r", "abc\r"},
		{"blank stays", " abc \n", " abc "},
		{"a page", strings.Repeat("p", 4096), strings.Repeat("p", 4096)},
		{"more than a page", strings.Repeat("p", 9000) + "\n", strings.Repeat("p", 9000)},
		{"longest", long, long},
		{"longest with a line break", long + "\r\n", long},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := fill(iotest.OneByteReader(strings.NewReader(tt.in)))
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			if got := reveal(t, v); got != tt.want {
				t.Errorf("got %d bytes, want %d", len(got), len(tt.want))
			}
		})
	}
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		in   *strings.Reader
		fail error
		want error
	}{
		{"nothing", strings.NewReader(""), nil, ErrEmpty},
		{"an empty line", strings.NewReader("\n"), nil, ErrEmpty},
		{"an empty line of Windows", strings.NewReader("\r\n"), nil, ErrEmpty},
		{"one too many", strings.NewReader(long + "x"), nil, ErrTooLong},
		{"one too many and a line break", strings.NewReader(long + "x\r\n"), nil, ErrTooLong},
		{"far too many", strings.NewReader(strings.Repeat(long, 20)), nil, ErrTooLong},
		{"a reader that fails", strings.NewReader("abc"), broken, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := iotest.OneByteReader(tt.in)
			if tt.fail != nil {
				r = iotest.TimeoutReader(iotest.ErrReader(tt.fail))
			}
			if _, err := fill(r); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	for _, b := range [][]byte{nil, make([]byte, MaxSize+1)} {
		if _, err := New(b); !errors.Is(err, ErrEmpty) && !errors.Is(err, ErrTooLong) {
			t.Errorf("New of %d bytes: %v", len(b), err)
		}
	}
}

func TestCheckHeader(t *testing.T) {
	for _, good := range []string{"abc", "a b\tc", "ü", "~"} {
		if err := newValue(t, good).CheckHeader(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"a\nb", "a\r", "\x00", "a\x1b", "a\x7f", "a\n"} {
		if err := newValue(t, bad).CheckHeader(); !errors.Is(err, ErrHeader) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A value that is lent stays while it is, whoever closes it.
func TestCloseWaitsForTheLastUse(t *testing.T) {
	v := newValue(t, "stays")
	err := v.Use(func(b []byte) {
		v.Use(func([]byte) {})
		v.Close()
		v.Close()
		if err := v.Use(func([]byte) { t.Error("lent after Close") }); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
		if string(b) != "stays" || v.in().mem.bytes == nil {
			t.Errorf("it went while it was used: %q", b)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if v.in().mem.bytes != nil {
		t.Error("the memory stays after the last use")
	}
}

func TestPanicInUseKeepsNoMemory(t *testing.T) {
	v := newValue(t, "x")
	func() {
		defer func() { recover() }()
		v.Use(func([]byte) { panic("in use") })
	}()
	v.Close()
	if v.in().mem.bytes != nil {
		t.Error("the memory stays")
	}
}

func TestZeroValue(t *testing.T) {
	var v Value
	v.Close()
	if err := v.Use(func([]byte) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if v.Locked() || v.CheckHeader() == nil || v.String() != hidden {
		t.Error("the zero Value is something")
	}
}
