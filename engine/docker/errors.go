package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// record notes how far a call got. The client library's errors do not always
// keep that: it flattens a refused connection into text, for one.
type record struct {
	ctx      context.Context // the call's
	mu       sync.Mutex
	status   int   // of the last answer, 0 if there was none
	dialErr  error // of the last failed attempt to connect
	broken   error // why a connection ended that had been made
	tooLarge bool
}

type recordKey struct{}

func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return &record{ctx: ctx}
}

func (r *record) dialFailed(err error) { r.mu.Lock(); r.dialErr = err; r.mu.Unlock() }
func (r *record) broke(err error)      { r.mu.Lock(); r.broken = err; r.mu.Unlock() }
func (r *record) answered(status int)  { r.mu.Lock(); r.status = status; r.mu.Unlock() }
func (r *record) overflowed()          { r.mu.Lock(); r.tooLarge = true; r.mu.Unlock() }

// apiError is the engine's own error answer.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

// do makes one call: it bounds it in time and says in our words what went
// wrong. notFound is what an answer 404 means here.
func (e *Engine) do(ctx context.Context, call string, notFound error, f func(context.Context) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.timeout)
		defer cancel()
	}
	return e.doUnbounded(ctx, call, notFound, f)
}

// doUnbounded is do for calls whose length is the caller's affair.
func (e *Engine) doUnbounded(ctx context.Context, call string, notFound error, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &record{ctx: ctx}
	err := f(context.WithValue(ctx, recordKey{}, r))
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && (r.status < 300 || r.status == http.StatusNotModified || r.status == http.StatusSwitchingProtocols) {
		return nil
	}
	err = fmt.Errorf("docker: %s: %w", call, e.explain(ctx, r, notFound, err))
	if name := e.dialer.where.context; name != "" && !hasHint(err) && (errors.Is(err, engine.ErrUnreachable) || errors.Is(err, engine.ErrBadAnswer)) {
		err = hintedf("docker context "+name+" leads there; see to the engine, or choose another context (`docker context ls`)", "%w", err)
	}
	return err
}

func (e *Engine) explain(ctx context.Context, r *record, notFound, err error) error {
	where := e.dialer.where
	switch link := explainLink(where, errors.Join(r.dialErr, r.broken)); {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		reason := ctx.Err()
		if said := e.dialer.ssh.said(); said != "" {
			reason = fmt.Errorf("%w; %w", reason, &sshError{said: said})
		}
		return fmt.Errorf("%w: %s does not answer in time: %w", engine.ErrUnreachable, where.Address, reason)
	case ctx.Err() != nil:
		return ctx.Err()
	case ours(err):
		return err
	case r.tooLarge:
		return fmt.Errorf("%w: %w", engine.ErrBadAnswer, errTooLarge)
	case link != nil:
		return link
	case r.status == 0 && r.dialErr != nil:
		return explainDial(where.Address, r.dialErr)
	case r.status == 0 && strings.Contains(err.Error(), "malformed"):
		return fmt.Errorf("%w: %s does not speak HTTP", engine.ErrBadAnswer, where.Address)
	case r.status == 0 && where.network == "tcp" && where.tls == nil:
		return hintedf("if the engine wants TLS, set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH; else see what its log says",
			"%w: %s closed the connection without an answer", engine.ErrUnreachable, where.Address)
	case r.status == 0:
		return fmt.Errorf("%w: %s closed the connection without an answer", engine.ErrUnreachable, where.Address)
	case r.status < 400 || errors.Is(err, client.ErrRedirect):
		reason := fmt.Sprintf("unexpected status %d", r.status)
		if err != nil {
			reason = text.OneLine(err.Error())
		}
		return fmt.Errorf("%w: %s", engine.ErrBadAnswer, reason)
	}
	return explainStatus(r.status, notFound, err)
}

// ours reports whether an error was already put into our words.
func ours(err error) bool {
	for _, sentinel := range []error{
		engine.ErrUnreachable, engine.ErrPermission, engine.ErrVersion, engine.ErrNoImage,
		engine.ErrNoContainer, engine.ErrRuntime, engine.ErrBadAnswer, errInput, errSource, errWait,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// explainLink knows what is special to TLS and ssh; nil if err is nothing of it.
func explainLink(where Endpoint, err error) error {
	if err := explainTLS(where, err); err != nil {
		return err
	}
	return explainSSH(where, err)
}

func explainDial(addr string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: permission denied at %s", engine.ErrPermission, addr)
	}
	reason := text.OneLine(err.Error())
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		reason = errno.Error()
	}
	return fmt.Errorf("%w: %s: %s", engine.ErrUnreachable, addr, reason)
}

var (
	versionRefused = regexp.MustCompile(`(?i)client version .* is too (old|new)`)
	runtimeRefused = regexp.MustCompile(`(?i)unknown (or invalid )?runtime|runtime "?[\w./-]+"? (is )?not found|no such runtime`)
)

func explainStatus(status int, notFound, err error) error {
	message := text.OneLine(strings.TrimPrefix(err.Error(), "Error response from daemon: "))
	if message == "" {
		message = fmt.Sprintf("status %d without a word", status)
	}
	api := &apiError{status, message}
	switch {
	case status == http.StatusBadRequest && strings.Contains(message, "HTTP request to an HTTPS server"):
		return hintedf("set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory of ca.pem, cert.pem and key.pem",
			"%w: it wants TLS, and none was asked for", engine.ErrUnreachable)
	case strings.HasPrefix(message, "error reading JSON"):
		return fmt.Errorf("%w: status %d, and %w", engine.ErrBadAnswer, status, api)
	case versionRefused.MatchString(message):
		return fmt.Errorf("%w: %w", engine.ErrVersion, api)
	case runtimeRefused.MatchString(message):
		return fmt.Errorf("%w: %w", engine.ErrRuntime, api)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: %w", engine.ErrPermission, api)
	case status == http.StatusNotFound && notFound != nil && strings.HasPrefix(strings.ToLower(message), notFound.Error()):
		return notFound // the engine's message would say the same again
	case status == http.StatusNotFound && notFound != nil:
		return fmt.Errorf("%w: %w", notFound, api)
	}
	return api
}

// statusOf is the status of the engine's error answer, 0 if err is none.
func statusOf(err error) int {
	if api := (*apiError)(nil); errors.As(err, &api) {
		return api.status
	}
	return 0
}
