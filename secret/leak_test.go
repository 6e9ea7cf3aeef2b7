package secret

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// forms are how a value may be written.
func forms(secret string) map[string]string {
	all := map[string]string{
		"raw": secret, "quoted": strings.Trim(strconv.Quote(secret), `"`), "hex": hex.EncodeToString([]byte(secret)),
		"percent": url.QueryEscape(secret), "bytes": strings.Trim(fmt.Sprint([]byte(secret)), "[]"),
		// A cut-off half is as bad.
		"half": secret[:len(secret)/2],
	}
	// Base64 differs with where in a group of three the value begins; what is left
	// out at the ends depends on the neighbours.
	for offset := range 3 {
		s := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + secret))
		all[fmt.Sprint("base64 at ", offset)] = s[4 : len(s)-4]
	}
	return all
}

func found(text, secret string) string {
	lower := strings.ToLower(text)
	for form, s := range forms(secret) {
		if strings.Contains(text, s) || form == "hex" && strings.Contains(lower, s) {
			return form
		}
	}
	return ""
}

func assertAbsent(t *testing.T, where, text, secret string) {
	t.Helper()
	if form := found(text, secret); form != "" {
		t.Errorf("%s holds the secret (%s): %s", where, form, text)
	}
}

// The search itself must find what there is to find.
func TestFound(t *testing.T) {
	secret := plant()
	for name, text := range map[string]string{
		"raw": "a" + secret + "b", "hex": hex.EncodeToString([]byte("x" + secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"%x": fmt.Sprintf("%X", secret), "%v": fmt.Sprint([]byte("ab" + secret)),
		"base64 0": base64.StdEncoding.EncodeToString([]byte(secret + "tail")), "base64 1": base64.StdEncoding.EncodeToString([]byte("a" + secret + "tail")),
		"base64 2": base64.StdEncoding.EncodeToString([]byte("ab" + secret + "tail")), "basic": base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
	} {
		if found(text, secret) == "" {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
	if form := found("nothing [secret] here", secret); form != "" {
		t.Errorf("%s found where there is nothing", form)
	}
}
