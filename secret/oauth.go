package secret

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// oauthSource is the login of a program on this machine: an access token in a file
// that the program wrote, and a refresh token for the next one.
//
// The endpoint may give a new refresh token with each access token, and end the
// whole login when an old one comes again. So whoever refreshes must be alone,
// and must have written the new one before anybody else reads:
//
//  1. Take the locks: ours, beside the file, and those of the program itself
//     where they are known (loginlock.go).
//  2. Read the file again. If somebody refreshed meanwhile, use theirs.
//  3. Make the file that will replace it, as large as it will be (journal.go).
//     All that can be refused is refused now.
//  4. Spend the refresh token.
//  5. Fill the new file, sync, and rename it over the old one.
//
// What cannot be closed: a process that is killed, or a machine that loses power
// or the network, after the endpoint took the old token in 4 and before its answer
// is on the disk in 5. The time for it is that of an answer and one fsync. An
// endpoint that takes the last token again for a while is not affected; with
// another the login is lost, and the error says how to log in. Killed later than
// that, nothing is lost: the next one finds the new file and puts it in place.
type oauthSource struct {
	path             string
	endpoint, client string // from the reference, "" for the file's
	http             *http.Client
	now              func() time.Time

	mu   sync.Mutex
	dead [sha256.Size]byte // of the refresh token that was refused last

	// For tests: what stands for the locks, and what is told of each step.
	lock func(ctx context.Context, path, real string, l *login) (unlock func(), err error)
	at   func(step string)
}

// fresh is how long a token must still be good to be handed out without trying to
// get another.
const fresh = time.Minute

// maxTokenFile bounds a token file, in which a program may keep more than one login.
const maxTokenFile = 1 << 20

func openOAuth(rest string, o Options) (Source, error) {
	file, query, _ := strings.Cut(rest, "?")
	path, err := o.place(file)
	if err != nil {
		return nil, err
	}
	s := &oauthSource{path: path, now: o.Now, lock: lockLogin, at: func(string) {}}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("%w: what follows the ? is not KEY=VALUE&KEY=VALUE", ErrReference)
	}
	for key, all := range values {
		switch {
		case key != "token_endpoint" && key != "client_id":
			err = fmt.Errorf("%w: of oauth:FILE?KEY=VALUE only token_endpoint and client_id are known", ErrReference)
		case len(all) != 1 || all[0] == "":
			err = fmt.Errorf("%w: %s wants one value", ErrReference, key)
		case key == "token_endpoint":
			s.endpoint, err = checkEndpoint(all[0])
		default:
			s.client = all[0]
		}
		if err != nil {
			return nil, err
		}
	}
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	}
	// A redirect would take the refresh token to somebody else.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.http = &client
	return s, nil
}

// checkEndpoint wants a URL that a refresh token may be sent to.
func checkEndpoint(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "", fmt.Errorf("%w: the token endpoint must be an https:// URL without a user or a fragment", ErrReference)
	}
	return s, nil
}

func (s *oauthSource) stamp() string { return stampOf(s.path) }

// Fetch is the access token of the file, or a new one if that has expired or will
// within a minute.
func (s *oauthSource) Fetch(ctx context.Context) (*Value, time.Time, error) {
	return s.fetch(ctx, nil)
}

// Renew is the access token of the file if it is not old, or else a new one.
func (s *oauthSource) Renew(ctx context.Context, old *Value) (*Value, time.Time, error) {
	return s.fetch(ctx, old)
}

func (s *oauthSource) fetch(ctx context.Context, old *Value) (*Value, time.Time, error) {
	l, _, err := readLogin(s.path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer l.close()
	if old == nil && s.lasts(l, fresh) || old != nil && s.lasts(l, 0) && !l.accessToken.equal(old) {
		return l.give()
	}
	real, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return nil, time.Time{}, err
	}
	unlock, err := s.lock(ctx, s.path, real, l)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer unlock()
	now, err := s.refresh(ctx, real, l.accessToken)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer now.close()
	return now.give()
}

// lasts says whether a login's access token is good for some time yet.
func (s *oauthSource) lasts(l *login, more time.Duration) bool {
	return l.accessToken != nil && (l.expires.IsZero() || l.expires.After(s.now().Add(more)))
}

// give hands the access token out of a login.
func (l *login) give() (*Value, time.Time, error) {
	v := l.accessToken
	l.accessToken = nil
	return v, l.expires, nil
}

// refresh is called with the locks held. Seen is the access token that somebody may
// have replaced while they were waited for.
func (s *oauthSource) refresh(ctx context.Context, real string, seen *Value) (*login, error) {
	for again := true; ; again = false {
		l, data, err := readAdopted(real)
		if err != nil {
			return nil, err
		}
		if s.lasts(l, 0) && (seen == nil || !l.accessToken.equal(seen)) {
			return l, nil
		}
		next, err := s.spend(ctx, real, l, data)
		clear(data)
		relogin := s.relogin(l)
		l.close()
		if !errors.Is(err, errInvalidGrant) {
			return next, err
		}
		// Somebody without our lock may have been first: theirs is in the file.
		if !again {
			return nil, fmt.Errorf("%w (%w): log in again with %s", ErrRevoked, err, relogin)
		}
	}
}

// relogin is what to log in again with.
func (s *oauthSource) relogin(l *login) string {
	return cmp.Or(l.login, "the program that wrote "+s.path)
}

// spend gets a new access token and writes it to the file.
func (s *oauthSource) spend(ctx context.Context, real string, l *login, data []byte) (*login, error) {
	if l.refreshToken == nil {
		return nil, fmt.Errorf("%w: it has expired, or was refused, and %s holds no refresh token: log in again with %s",
			ErrRevoked, s.path, cmp.Or(l.login, "the program that wrote it"))
	}
	endpoint, err := checkEndpoint(cmp.Or(s.endpoint, l.tokenEndpoint))
	if err != nil {
		return nil, fmt.Errorf("%w; %s names no other: write oauth:FILE?token_endpoint=URL", err, s.path)
	}
	sum := l.refreshSum()
	s.mu.Lock()
	dead := s.dead == sum
	s.mu.Unlock()
	if dead {
		return nil, errInvalidGrant
	}
	j, err := newJournal(real, sum, len(data))
	if err != nil {
		return nil, fmt.Errorf("the login is not refreshed, as the new tokens could not be written: %w", err)
	}
	defer j.close()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// From here on the caller can no longer change its mind.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTime)
	defer cancel()
	a, err := s.exchange(ctx, l, endpoint, cmp.Or(s.client, l.clientID))
	if errors.Is(err, errInvalidGrant) {
		s.mu.Lock()
		s.dead = sum
		s.mu.Unlock()
	}
	if err != nil {
		return nil, err
	}
	defer a.wipe()
	s.at("answered")
	return s.save(real, j, sum, data, a)
}

// save writes an answer to the token file: to what is in it now, as the program
// whose file it is may have written to other parts of it.
func (s *oauthSource) save(real string, j *journal, sum [sha256.Size]byte, data []byte, a *answer) (*login, error) {
	theirs, now, err := readLogin(real)
	switch {
	case errors.Is(err, ErrMissing):
		return nil, fmt.Errorf("%w: somebody logged out meanwhile", err)
	case err != nil:
		// Half of a write, most likely. What was there before is better than nothing.
	case theirs.refreshToken == nil || theirs.refreshSum() != sum:
		// A new login, which is not ours to replace.
		clear(now)
		return theirs, nil
	default:
		theirs.close()
		defer clear(now)
		data = now
	}
	next, err := rewrite(data, a)
	if err != nil {
		return nil, err
	}
	defer clear(next)
	l, err := parseLogin(next)
	if err != nil {
		return nil, err
	}
	if err := j.commit(next, s.at); err != nil {
		l.close()
		return nil, fmt.Errorf("the refreshed login could not be written: %w", err)
	}
	return l, nil
}

// refreshSum stands for a refresh token where the token itself must not be.
func (l *login) refreshSum() (sum [sha256.Size]byte) {
	l.refreshToken.Use(func(b []byte) { sum = sha256.Sum256(b) })
	return sum
}

// readLogin reads a token file. The data is the caller's to wipe.
func readLogin(path string) (*login, []byte, error) {
	f, _, err := openPrivate(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	// Not io.ReadAll, which leaves copies behind as it grows.
	data := make([]byte, maxTokenFile+1)
	n, err := io.ReadFull(f, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	if n > maxTokenFile {
		err = fmt.Errorf("%w: it is larger than 1 MiB", ErrTokenFile)
	}
	var l *login
	if err == nil {
		l, err = parseLogin(data[:n])
	}
	if err != nil {
		clear(data)
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, data[:n], nil
}
