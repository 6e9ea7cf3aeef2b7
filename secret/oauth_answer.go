package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

const (
	// exchangeTime is how long a token endpoint may take.
	exchangeTime = 20 * time.Second
	// assumedLife is taken for an answer without expires_in.
	assumedLife = time.Hour
	// longestLife is more than anybody means.
	longestLife = 10 * 365 * 24 * time.Hour
)

// An answer is what a token endpoint answered: the tokens as the JSON text that
// stood there.
type answer struct {
	access, refresh []byte // refresh is nil where the old one stays good
	expires         time.Time
}

func (a *answer) wipe() {
	clear(a.access)
	clear(a.refresh)
}

// errInvalidGrant is the endpoint's word that a refresh token is not, or no
// longer, accepted.
var errInvalidGrant = errors.New("invalid_grant")

// exchange spends the refresh token (RFC 6749, section 6). The error is
// errInvalidGrant or wraps ErrTemporary, or is final.
func (s *oauthSource) exchange(ctx context.Context, l *login, endpoint, client string) (*answer, error) {
	body := requestBody(l, client)
	defer clear(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: the token endpoint: it is no URL", ErrReference)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if l.json {
		req.Header.Set("Content-Type", "application/json")
	}
	asked := s.now()
	resp, err := s.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("the token endpoint %s gave no answer: %w: %w", req.URL.Host, ErrTemporary, err)
	}
	defer resp.Body.Close()
	data := make([]byte, MaxSize)
	defer clear(data)
	n, err := io.ReadFull(resp.Body, data)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("the answer of the token endpoint %s broke off: %w", req.URL.Host, ErrTemporary)
	}
	if resp.StatusCode != http.StatusOK {
		err := refusal(req.URL.Host, resp.StatusCode, data[:n])
		if code := resp.StatusCode; (code == http.StatusUnauthorized || code == http.StatusForbidden) && !errors.Is(err, errInvalidGrant) {
			err = fmt.Errorf("%w: if that stays so, log in again with %s", err, s.relogin(l))
		}
		return nil, err
	}
	a, err := parseAnswer(data[:n], asked)
	if err != nil {
		return nil, fmt.Errorf("the token endpoint %s: %w", req.URL.Host, err)
	}
	return a, nil
}

func requestBody(l *login, client string) []byte {
	var body []byte
	l.refreshToken.Use(func(token []byte) {
		// Large enough from the start: growing would leave copies.
		body = make([]byte, 0, 256+6*len(token)+6*len(client))
		if l.json {
			body = append(body, `{"grant_type":"refresh_token","client_id":`...)
			body = strconv.AppendQuoteToASCII(body, client)
			body = append(body, `,"refresh_token":"`...)
			for _, c := range token {
				if c == '"' || c == '\\' {
					body = append(body, '\\')
				}
				body = append(body, c)
			}
			body = append(body, `"}`...)
			return
		}
		body = append(body, "grant_type=refresh_token"...)
		if client != "" {
			body = append(body, "&client_id="...)
			body = append(body, url.QueryEscape(client)...)
		}
		body = append(body, "&refresh_token="...)
		const hex = "0123456789ABCDEF"
		for _, c := range token {
			if '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '.' || c == '_' {
				body = append(body, c)
			} else {
				body = append(body, '%', hex[c>>4], hex[c&15])
			}
		}
	})
	return body
}

// parseAnswer reads a successful answer (RFC 6749, section 5.1). Its errors repeat
// nothing of it.
func parseAnswer(data []byte, asked time.Time) (*answer, error) {
	if !json.Valid(data) {
		return nil, errors.New("its answer is not JSON")
	}
	members, err := membersOf(data, span{0, len(data)})
	if err != nil {
		return nil, fmt.Errorf("its answer: %w", err)
	}
	d := &document{shape: plainShape, data: data, members: members}
	token := func(key string) []byte {
		raw := d.raw(key)
		text, err := unquote(raw)
		defer clear(text)
		if err != nil || len(text) == 0 || len(text) > MaxSize || bytes.IndexFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0 {
			return nil
		}
		return bytes.Clone(raw)
	}
	a := &answer{access: token("access_token"), refresh: token("refresh_token")}
	if a.access == nil || a.refresh == nil && d.raw("refresh_token") != nil {
		a.wipe()
		return nil, errors.New("its answer holds no access_token, or a token with characters that none can have")
	}
	life := assumedLife
	// Some quote the number.
	if n, err := strconv.ParseFloat(string(bytes.Trim(d.raw("expires_in"), `"`)), 64); err == nil && n > 0 {
		life = longestLife
		if n < longestLife.Seconds() {
			life = time.Duration(n * float64(time.Second))
		}
	}
	// From when it was asked for: the endpoint counts from a little later.
	a.expires = asked.Add(life).Truncate(time.Second)
	return a, nil
}

var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// refusal says what an answer other than 200 means. Of its text only the error's
// code is passed on: the rest may repeat the request.
func refusal(host string, status int, data []byte) error {
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var nested struct {
		Type string `json:"type"`
	}
	code := ""
	if json.Unmarshal(data, &body) == nil && json.Unmarshal(body.Error, &code) != nil && json.Unmarshal(body.Error, &nested) == nil {
		code = nested.Type // {"error": {"type": "invalid_grant"}}
	}
	if !errorCode.MatchString(code) {
		code = ""
	}
	switch {
	case code == errInvalidGrant.Error() && status < 500:
		return errInvalidGrant
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return fmt.Errorf("the token endpoint %s answered %d: %w", host, status, ErrTemporary)
	case code != "":
		return fmt.Errorf("the token endpoint %s refused: %s (status %d)", host, code, status)
	}
	return fmt.Errorf("the token endpoint %s answered %d", host, status)
}
