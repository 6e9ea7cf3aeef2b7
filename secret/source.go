package secret

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// Source fetches one credential. The Value is the caller's to close. It counts
// until expiry, the zero time for one that says nothing of its end.
//
// A Source is safe for concurrent use. Fetch ends when ctx does, but for a
// refresh of a login, which cannot be taken back once its request was sent: it
// goes on for up to 20 seconds, so that the new tokens are not lost.
type Source interface {
	Fetch(ctx context.Context) (v *Value, expiry time.Time, err error)
}

// renewer is a Source that can make a new credential in place of one that it
// gave, before that one expires.
type renewer interface {
	Renew(ctx context.Context, old *Value) (*Value, time.Time, error)
}

// watched is a Source whose credential may have changed whenever its stamp did.
// Taking a stamp is cheap.
type watched interface {
	stamp() string
}

// Options is what sources need besides the reference.
type Options struct {
	// Name is the credential's, for the reference "env" alone: the variable has the
	// same name, in upper case, with _ for what a variable's name cannot hold.
	Name string
	// BaseDir is what relative paths are relative to, and where commands run: the
	// directory of the policy file. "" is the working directory.
	BaseDir string
	// Identity is the file with the age identities, "" for the one that
	// $TIGHTSHIP_AGE_IDENTITY names. Relative to the working directory.
	Identity string
	// LookupEnv stands for the process's own environment, from which a variable is
	// removed once env: has read it. From here it is not.
	LookupEnv func(name string) (string, bool)
	// Client reaches token endpoints; nil for one with the system's roots and the
	// proxy of the environment. It is copied, and follows no redirects.
	Client *http.Client
	// Now is the clock, nil for time.Now.
	Now func() time.Time
}

// An opener makes the source of one kind from what follows the kind.
type opener func(rest string, o Options) (Source, error)

var kinds = map[string]opener{
	"env": openEnv, "file": openFile, "exec": openExec,
	"age": openAge, "keyring": openKeyring, "oauth": openOAuth,
}

// Open reads where a credential comes from, KIND:REST:
//
//	env:NAME        a variable; "env" alone takes Options.Name
//	file:PATH       a file that only its user can read
//	exec:COMMAND    what a command prints; words are split as by a shell, but no
//	                shell runs
//	age:FILE        a file encrypted with age
//	keyring:NAME    the password of NAME for the service tightship
//	oauth:FILE      the tokens of a login; FILE?token_endpoint=URL&client_id=ID
//	                for what the file does not say
//
// It fetches nothing. Paths may begin with "~/". The error wraps ErrReference.
func Open(from string, o Options) (Source, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	kind, rest, colon := strings.Cut(from, ":")
	open, ok := kinds[kind]
	switch {
	case from == "":
		return nil, fmt.Errorf("%w: it is empty, want KIND:REST", ErrReference)
	case !ok && !colon:
		// It could be the credential itself, and is not repeated.
		return nil, fmt.Errorf("%w: want KIND:REST, KIND being one of %s", ErrReference, kindList())
	case !ok:
		return nil, fmt.Errorf("%w: what stands before its first colon is none of %s", ErrReference, kindList())
	case kind == "env" && !colon:
	case rest == "":
		return nil, fmt.Errorf("%w: nothing follows %q", ErrReference, kind+":")
	}
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return nil, fmt.Errorf("%w: a control character follows %q", ErrReference, kind+":")
	}
	return open(rest, o)
}

func kindList() string {
	var all []string
	for k := range kinds {
		all = append(all, k)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// lookup is a variable of the environment, for what is no secret.
func (o Options) lookup(name string) string {
	if o.LookupEnv != nil {
		v, _ := o.LookupEnv(name)
		return v
	}
	return os.Getenv(name)
}
