package secret

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A shape is how a program writes the tokens of a login.
type shape struct {
	object                  string // the member of the file that holds them, "" for the file itself
	access, refresh, client string
	expiry                  []string // the first is added where there is none
	millis                  bool     // the unit of a number there; else its size tells
	endpoint                []string
	knownEndpoint, knownID  string
	json                    bool   // what the token endpoint is sent
	login                   string // what to do when the login is no longer accepted
	siblingLocks            bool   // see loginlock.go
}

// claudeShape is Claude Code's ~/.claude/.credentials.json. It names neither the
// token endpoint nor the client: these are public, the same for everybody, and
// were read from the published program (@anthropic-ai/claude-code 2.1.150, npm).
var claudeShape = &shape{
	object: "claudeAiOauth", access: "accessToken", refresh: "refreshToken", client: "clientId",
	expiry: []string{"expiresAt"}, millis: true,
	knownEndpoint: "https://platform.claude.com/v1/oauth/token",
	knownID:       "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
	json:          true, siblingLocks: true,
	login: "claude on this machine (/login)",
}

// plainShape has the names of RFC 6749, section 5.1, and those that libraries add
// to keep the end of an access token and where the next one is from.
var plainShape = &shape{
	access: "access_token", refresh: "refresh_token", client: "client_id",
	expiry:   []string{"expires_at", "expiry"},
	endpoint: []string{"token_endpoint", "token_url"},
}

// A login is what a token file holds.
type login struct {
	*shape
	accessToken, refreshToken *Value // nil for one that is not there
	expires                   time.Time
	tokenEndpoint, clientID   string // "" for what the file does not say
}

func (l *login) close() {
	for _, v := range []*Value{l.accessToken, l.refreshToken} {
		if v != nil {
			v.Close()
		}
	}
}

// parseLogin reads a token file. The error wraps ErrTokenFile.
func parseLogin(data []byte) (*login, error) {
	doc, err := parseDocument(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenFile, err)
	}
	l := &login{shape: doc.shape}
	token := func(key string) *Value {
		var v *Value
		raw := doc.raw(key)
		if raw == nil || err != nil {
			return nil
		}
		var text []byte
		if text, err = unquote(raw); err == nil && len(text) > 0 {
			v, err = New(text)
		}
		if err == nil && v != nil {
			err = v.CheckHeader()
		}
		if err != nil {
			err = fmt.Errorf("%q: %w", key, err)
		}
		return v
	}
	l.accessToken, l.refreshToken = token(l.access), token(l.refresh)
	plain := func(keys ...string) string {
		for _, key := range keys {
			if text, e := unquote(doc.raw(key)); e == nil && len(text) > 0 {
				return string(text)
			}
		}
		return ""
	}
	l.tokenEndpoint = cmp.Or(plain(doc.endpoint...), l.knownEndpoint)
	l.clientID = cmp.Or(plain(doc.client), l.knownID)
	for _, key := range doc.expiry {
		if raw := doc.raw(key); raw != nil && l.expires.IsZero() && err == nil {
			if l.expires, _, err = doc.parseTime(raw); err != nil {
				err = fmt.Errorf("%q: %w", key, err)
			}
		}
	}
	if err == nil && l.accessToken == nil && l.refreshToken == nil {
		err = errors.New("it holds no token")
	}
	if err != nil {
		l.close()
		return nil, fmt.Errorf("%w: %w", ErrTokenFile, err)
	}
	return l, nil
}

// A span is where something stands in a file.
type span struct{ from, to int }

// A document is a token file that was found to be JSON, with the places of its
// members, so that it can be changed without touching the rest.
type document struct {
	*shape
	data    []byte
	at      span // the object that holds the tokens
	members map[string]span
}

func parseDocument(data []byte) (*document, error) {
	if !json.Valid(data) {
		return nil, errors.New("it is not JSON")
	}
	start := bytes.IndexFunc(data, func(r rune) bool { return r > ' ' })
	at := span{start, len(data)}
	members, err := membersOf(data, at)
	if err != nil {
		return nil, err
	}
	d := &document{plainShape, data, at, members}
	if inner, ok := members[claudeShape.object]; ok {
		if members, err = membersOf(data, inner); err != nil {
			return nil, fmt.Errorf("%q: %w", claudeShape.object, err)
		}
		return &document{claudeShape, data, inner, members}, nil
	}
	if d.raw(d.access) == nil && d.raw(d.refresh) == nil {
		return nil, fmt.Errorf("want an object with %q, or with %q and %q", claudeShape.object, d.access, d.refresh)
	}
	return d, nil
}

// raw is a member's value as it stands there, nil for none and for null.
func (d *document) raw(key string) []byte {
	at, ok := d.members[key]
	if !ok || string(d.data[at.from:at.to]) == "null" {
		return nil
	}
	return d.data[at.from:at.to]
}

// membersOf finds the values of an object in valid JSON. A key that stands there
// twice is an error: another program might read the other one.
func membersOf(data []byte, at span) (map[string]span, error) {
	d := json.NewDecoder(bytes.NewReader(data[at.from:at.to]))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("it is not an object")
	}
	all := map[string]span{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, twice := all[name]; twice {
			return nil, errors.New("a key stands there twice")
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		end := at.from + int(d.InputOffset())
		all[name] = span{end - len(raw), end}
		clear(raw)
	}
	return all, nil
}

// unquote is the text of a JSON string; one without escapes never becomes a Go
// string, which could not be wiped.
func unquote(raw []byte) ([]byte, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, errors.New("it is not text")
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return bytes.Clone(inner), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, errors.New("it is not text")
	}
	return []byte(s), nil
}

// parseTime reads the end of an access token, in seconds or milliseconds since
// 1970 or as RFC 3339 writes it. Like writes another time the same way. No end,
// which is written as 0 or as the first second of year 1, is the zero time.
func (s *shape) parseTime(raw []byte) (at time.Time, like func(time.Time) []byte, err error) {
	if raw[0] == '"' {
		text, _ := unquote(raw)
		at, err = time.Parse(time.RFC3339, string(text))
		if err != nil {
			return time.Time{}, nil, errors.New("want a time as RFC 3339 writes it, or a number")
		}
		return at, func(t time.Time) []byte { return strconv.AppendQuote(nil, t.UTC().Format(time.RFC3339)) }, nil
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n < 0 || n > 1e14 {
		return time.Time{}, nil, errors.New("want a time as RFC 3339 writes it, or a number")
	}
	// As seconds this would be the year 5138.
	if s.millis || n > 1e11 {
		at, like = time.UnixMilli(int64(n)), func(t time.Time) []byte { return strconv.AppendInt(nil, t.UnixMilli(), 10) }
	} else {
		at, like = time.Unix(int64(n), 0), func(t time.Time) []byte { return strconv.AppendInt(nil, t.Unix(), 10) }
	}
	if n == 0 {
		at = time.Time{}
	}
	return at, like, nil
}

// rewrite is the token file data with what a token endpoint answered. What it
// does not change stays as it is, byte for byte. The result is the caller's to
// wipe. The error wraps ErrTokenFile.
func rewrite(data []byte, a *answer) ([]byte, error) {
	doc, err := parseDocument(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenFile, err)
	}
	type edit struct {
		at  span
		new []byte
	}
	var edits []edit
	set := func(key string, value []byte) {
		if at, ok := doc.members[key]; ok {
			edits = append(edits, edit{at, value})
			return
		}
		// At the start of the object, where a comma is right if anything follows.
		text := append(strconv.AppendQuote(nil, key), ':')
		text = append(text, value...)
		if len(doc.members) > 0 {
			text = append(text, ',')
		}
		edits = append(edits, edit{span{doc.at.from + 1, doc.at.from + 1}, text})
	}
	set(doc.access, a.access)
	if a.refresh != nil {
		set(doc.refresh, a.refresh)
	}
	known := false
	for _, key := range doc.expiry {
		if raw := doc.raw(key); raw != nil {
			_, like, err := doc.parseTime(raw)
			if err != nil {
				return nil, fmt.Errorf("%w: %q: %w", ErrTokenFile, key, err)
			}
			set(key, like(a.expires))
			known = true
		}
	}
	if !known {
		stamp := a.expires.Unix()
		if doc.millis {
			stamp = a.expires.UnixMilli()
		}
		set(doc.expiry[0], strconv.AppendInt(nil, stamp, 10))
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return a.at.from - b.at.from })
	size := len(data)
	for _, e := range edits {
		size += len(e.new)
	}
	out, done := make([]byte, 0, size), 0 // never grown, which would leave a copy
	for _, e := range edits {
		out = append(out, data[done:e.at.from]...)
		out = append(out, e.new...)
		done = e.at.to
	}
	return append(out, data[done:]...), nil
}
