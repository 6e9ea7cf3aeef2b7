package gitwire

import (
	"bytes"
	"strings"
	"testing"
)

func TestApplyDelta(t *testing.T) {
	base := []byte("hello, world")
	for name, row := range map[string]struct {
		delta string
		want  string
		ok    bool
	}{
		"insert":                      {"\x0c\x02\x02hi", "hi", true},
		"copy":                        {"\x0c\x05\x91\x07\x05", "world", true},
		"copy from the start":         {"\x0c\x05\x90\x05", "hello", true},
		"both":                        {"\x0c\x07\x02hi\x91\x07\x05", "hiworld", true},
		"nothing":                     {"\x0c\x00", "", true},
		"empty":                       {"", "", false},
		"only a size":                 {"\x0c", "", false},
		"another base":                {"\x0b\x02\x02hi", "", false},
		"op 0":                        {"\x0c\x01\x00x", "", false},
		"more than it says":           {"\x0c\x01\x02hi", "", false},
		"less than it says":           {"\x0c\x03\x02hi", "", false},
		"an insert that is cut":       {"\x0c\x05\x05hi", "", false},
		"a copy that is cut":          {"\x0c\x05\x91", "", false},
		"a copy beyond the end":       {"\x0c\x06\x91\x07\x06", "", false},
		"a copy from beyond":          {"\x0c\x01\x91\x0d\x01", "", false},
		"a copy from far beyond":      {"\x0c\x01\x9f\xff\xff\xff\xff\x01", "", false},
		"a copy of 65536":             {"\x0c\x80\x80\x04\x80", "", false},
		"a size without end":          {"\x0c\xff\xff\xff\xff\xff\xff\x01", "", false},
		"a result that is too big":    {"\x0c\x81\x80\x80\x7f\x02hi", "", false},
		"a base's size without end":   {"\xff\xff\xff\xff\xff\xff\xff\xff", "", false},
		"a size in a longer spelling": {"\x8c\x00\x02\x02hi", "hi", true}, // git reads it, too
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := applyDelta(base, []byte(row.delta))
			if ok != row.ok || ok && string(got) != row.want {
				t.Errorf("%q, %v", got, ok)
			}
		})
	}
	big := bytes.Repeat([]byte("x"), 0x10000)
	if got, ok := applyDelta(big, []byte("\x80\x80\x04\x80\x80\x04\x80")); !ok || !bytes.Equal(got, big) {
		t.Error("a size of 0 is not 65536")
	}
}

func TestBody(t *testing.T) {
	read := func(body, encoding string, most int64) (string, error) {
		r, err := Body(strings.NewReader(body), encoding, most)
		if err != nil {
			return "", err
		}
		var out bytes.Buffer
		_, err = out.ReadFrom(r)
		return out.String(), err
	}
	zipped := string(gzipped("hello"))
	for name, row := range map[string]struct {
		body, encoding string
		most           int64
		want, why      string
	}{
		"plain":                {"hello", "", 0, "hello", ""},
		"identity":             {"hello", "identity", 5, "hello", ""},
		"gzip":                 {zipped, "gzip", 0, "hello", ""},
		"x-gzip":               {zipped, "x-gzip", 5, "hello", ""},
		"gzip, too long":       {zipped, "gzip", 4, "hell", "more than 4 bytes"},
		"plain, too long":      {"hello", "", 4, "hell", "more than 4 bytes"},
		"no gzip":              {"hello", "gzip", 0, "", "it says gzip"},
		"gzip that is cut":     {zipped[:len(zipped)-3], "gzip", 0, "hello", "unexpected EOF"},
		"gzip, then something": {zipped + "x", "gzip", 0, "hello", "EOF"},
		"deflate":              {"hello", "deflate", 0, "", "encoding"},
		"twice":                {zipped, "gzip, gzip", 0, "", "encoding"},
		"upper case":           {zipped, "GZIP", 0, "", "encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(row.body, row.encoding, row.most)
			if got != row.want || (err == nil) != (row.why == "") || err != nil && !strings.Contains(err.Error(), row.why) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
