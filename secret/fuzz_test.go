package secret

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// Whatever the token file holds: no panic; what is read can be rewritten, and is
// then read as what it was rewritten to, the rest unchanged in size.
func FuzzTokenFile(f *testing.F) {
	for _, seed := range []string{
		`{"claudeAiOauth":{"accessToken":"a","refreshToken":"r","expiresAt":1748000000000,"scopes":["x"]},"more":{}}`,
		`{"access_token":"a","refresh_token":"r","expires_at":1748000000,"token_url":"https://a/","client_id":"c"}`,
		`{"access_token":"a","refresh_token":"r","expiry":"2026-01-02T03:04:05.678+02:00"}`,
		` { "refresh_token" : "\u0041\"" } `, `{"access_token":null,"refresh_token":"r"}`, `{"access_token":"a","access_token":"b"}`,
		`{"claudeAiOauth":{}}`, `{"claudeAiOauth":null}`, `[]`, `{`, ``, `{"access_token":1}`, `{"access_token":"a","expires_at":1e400}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		l, err := parseLogin(data)
		if !bytes.Equal(before, data) {
			t.Fatal("the data changed")
		}
		if err != nil {
			if !errors.Is(err, ErrTokenFile) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%q", err)
			}
			return
		}
		l.close()
		a := &answer{access: []byte(`"new-\u0061"`), refresh: []byte(`"next"`), expires: time.Unix(1800000000, 0)}
		out, err := rewrite(data, a)
		if err != nil {
			t.Fatal(err)
		}
		now, err := parseLogin(out)
		if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		defer now.close()
		if reveal(t, now.accessToken) != "new-a" || reveal(t, now.refreshToken) != "next" || !now.expires.Equal(a.expires) {
			t.Fatalf("%v in %s", now.expires, out)
		}
		if now.tokenEndpoint != l.tokenEndpoint || now.clientID != l.clientID || now.shape != l.shape {
			t.Fatal("the rest changed")
		}
		again, err := rewrite(out, a)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("not the same again: %v", err)
		}
	})
}

// Whatever the endpoint answers: no panic, and what is taken is whole.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"access_token":"a","refresh_token":"r","expires_in":3600}`, `{"access_token":"a","expires_in":"60"}`,
		`{"access_token":"a","expires_in":-1}`, `{"access_token":"a","expires_in":1e300}`, `{"access_token":"","refresh_token":""}`, `{"error":{"type":"x"}}`, ` {}`, `""`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		asked := time.Unix(1700000000, 0)
		refusal("host", 400, data)
		a, err := parseAnswer(data, asked)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%q", err)
			}
			return
		}
		if a.expires.Before(asked) || a.expires.After(asked.Add(longestLife)) {
			t.Fatalf("expires %v", a.expires)
		}
		out, err := rewrite([]byte(`{"access_token":"old","refresh_token":"old"}`), a)
		if err != nil {
			t.Fatal(err)
		}
		l, err := parseLogin(out)
		if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		l.close()
	})
}

// quote writes a word so that words reads it as it was.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// What is split can be quoted and split again without a change.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{`gh auth token`, `a "b c" 'd'`, `a\ b`, `"`, `'`, `\`, `a "\$"`, "~ *", `a ''`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all, err := words(s)
		if err != nil {
			if !errors.Is(err, ErrReference) {
				t.Fatal(err)
			}
			return
		}
		var quoted []string
		for _, w := range all {
			quoted = append(quoted, quote(w))
		}
		again, err := words(strings.Join(quoted, " "))
		if err != nil || len(again) != len(all) {
			t.Fatalf("%q: %q, %v", all, again, err)
		}
		for i := range all {
			if again[i] != all[i] {
				t.Fatalf("%q became %q", all[i], again[i])
			}
		}
	})
}

// Opening fetches nothing, never panics, and fails with ErrReference alone.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{"env", "env:A", "file:~/a", "exec:a 'b'", "age:a", "keyring:a", "oauth:a?token_endpoint=https://a/&client_id=b", ":", "file:\x00", "oauth:?%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, from string) {
		s, err := Open(from, Options{BaseDir: "/base", Identity: "/id", LookupEnv: lookup(map[string]string{"HOME": "/home"})})
		if (s == nil) == (err == nil) || err != nil && !errors.Is(err, ErrReference) {
			t.Fatalf("%v, %v", s, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Fatalf("%q", err)
		}
	})
}
