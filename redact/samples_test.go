package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
)

// testValues have each stride of the index, and characters that encoders disagree
// about.
var testValues = []struct{ name, value string }{
	{"token", "sk-ant-api03-p9Zq_7/x+W2=dEmB4"},
	{"sixteen", "ghp_0123456789ab"},
	{"password", `a"b\c/d <&> é%+`},
	{"shortest", "hunter 2"},
	{"beyond", "pass🔑word€"},
}

// sample is a rendering of a value in a text: what is before and after it stays.
type sample struct{ form, before, secret, after string }

func (s sample) text() string { return s.before + s.secret + s.after }

// hexed writes each byte of a text.
func hexed(format, text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, format, text[i])
	}
	return b.String()
}

// units writes each unit of a text in UTF-16.
func units(format, text string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(text)) {
		fmt.Fprintf(&b, format, u)
	}
	return b.String()
}

// sampled writes a value in every way that is claimed, as others would: with the
// standard library's encoders where it has them.
func sampled(value string) []sample {
	var all []sample
	put := func(form, secret string) {
		all = append(all, sample{form, `{"echo": '`, secret, `'} `})
	}
	marshalled := func(text string) string {
		b, _ := json.Marshal(text)
		return string(b[1 : len(b)-1])
	}
	// Every other character only, and those that cannot stay as they are.
	mixed := func(text string, encode func(string) string) string {
		var b strings.Builder
		for i, r := range text {
			if i%2 == 0 || strings.ContainsRune(`"\%`, r) {
				b.WriteString(encode(string(r)))
			} else {
				b.WriteString(string(r))
			}
		}
		return b.String()
	}
	put("raw", value)
	if plus := strings.ReplaceAll(value, " ", "+"); plus != value {
		put("form", plus)
		put("percent(form)", strings.Replace(url.QueryEscape(value), "t", "%74", 1))
		put("json(form)", units(`\u%04x`, plus))
	}
	upper, lower := hexed("%%%02X", value), hexed("%%%02x", value)
	put("percent", upper)
	put("percent", lower)
	put("percent", mixed(value, func(s string) string { return hexed("%%%02X", s) }))
	if escaped := url.PathEscape(value); escaped != value {
		put("percent", escaped)
	}
	put("json", units(`\u%04x`, value))
	put("json", units(`\u%04X`, value))
	put("json", mixed(value, func(s string) string { return units(`\u%04x`, s) }))
	if m := marshalled(value); m != value {
		put("json", m)
	}
	if slashed := strings.ReplaceAll(value, "/", `\/`); slashed != value && !strings.Contains(value, `\`) {
		put("json", slashed)
	}
	put("hex", hexed("%02x", value))
	put("hex-upper", hexed("%02X", value))
	put("percent(hex)", hexed("%%%02x", hexed("%02x", value)))
	put("percent(hex-upper)", hexed("%%%02x", hexed("%02X", value)))
	put("json(hex)", fmt.Sprintf(`\u00%02x`, hexed("%02x", value)[0])+hexed("%02x", value)[1:])
	put("json(hex-upper)", fmt.Sprintf(`\u00%02x`, hexed("%02X", value)[0])+hexed("%02X", value)[1:])
	for _, b := range []struct {
		form     string
		alphabet *base64.Encoding
	}{{"base64", base64.StdEncoding}, {"base64url", base64.URLEncoding}} {
		for user := range 4 {
			for tail := range 3 {
				whole := strings.Repeat("u", user) + value + strings.Repeat("~", tail)
				text := b.alphabet.EncodeToString([]byte(whole))
				from, to := 8*user/6, (8*(user+len(value))+5)/6
				before, secret, after := "Basic "+text[:from], text[from:to], text[to:]+"\r\n"
				form := b.form
				if form == "base64url" && !strings.ContainsAny(secret, "-_") {
					form = "base64" // the same text
				}
				all = append(all, sample{form, before, secret, after},
					sample{"percent(" + form + ")", before, hexed("%%%02X", secret), after},
					sample{"json(" + form + ")", before, fmt.Sprintf(`\u%04X`, secret[2]), after})
				last := &all[len(all)-1]
				last.secret = secret[:2] + last.secret + strings.ReplaceAll(secret[3:], "/", `\/`)
			}
		}
	}
	return all
}
