package policy

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
)

// defaultSeccomp is DefaultProfile of github.com/moby/profiles/seccomp, at the
// version pinned in go.mod, as compact JSON. It is kept as text because that
// package builds its profile on Linux only, while a policy is also read on the
// machine that a remote engine is driven from; a test holds the two together,
// so that a change of the profile shows in review.
//
//go:embed seccomp_moby.json
var defaultSeccomp string

// SeccompProfile is the profile that SeccompDefault stands for on a runtime, as
// JSON; "" is any that is not gVisor.
func SeccompProfile(runtime string) string {
	profile := strings.TrimSpace(defaultSeccomp)
	if GVisor(runtime) {
		profile = strings.Replace(profile, clone3Errno, clone3Trace, 1)
	}
	return profile
}

// The profile answers clone3 with ENOSYS, which a filter cannot look into, so
// that libraries turn to clone. runsc knows one errno only, EPERM, and says that
// instead: then no program of glibc's can start a thread. The trace action means
// the same to a process that nobody traces: ENOSYS (seccomp(2)).
const (
	clone3Errno = `"action":"SCMP_ACT_ERRNO","errnoRet":38`
	clone3Trace = `"action":"SCMP_ACT_TRACE"`
)

// seccomp returns what spec.Container.Seccomp holds: a profile as JSON, or
// "unconfined".
func (p *Policy) seccomp() (string, error) {
	switch p.Seccomp {
	case SeccompUnconfined:
		return SeccompUnconfined, nil
	case SeccompDefault, "":
		return SeccompProfile(p.Runtime), nil
	}
	name, err := p.hostPath(p.Seccomp)
	if err != nil {
		return "", p.fault("seccomp", err.Error(), err)
	}
	profile, err := readProfile(name)
	if err != nil {
		return "", p.fault("seccomp", p.Seccomp+": "+cause(err), err)
	}
	return profile, nil
}

// readProfile returns a profile's text. It is passed on as it is, because only
// the engine and the runtime know every key; what is checked is that a filter
// is there at all, since engines take `{}` for one that forbids nothing.
func readProfile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return "", errors.New("is a directory, want a seccomp profile")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return "", err
	}
	if len(data) > MaxFileSize {
		return "", errors.New("is larger than 1 MiB, which no seccomp profile is")
	}
	var profile struct {
		DefaultAction string `json:"defaultAction"`
	}
	if err := json.Unmarshal(data, &profile); err != nil {
		return "", errors.New("is not a seccomp profile in JSON: " + err.Error())
	}
	if !strings.HasPrefix(profile.DefaultAction, "SCMP_ACT_") {
		return "", errors.New("is not a seccomp profile: defaultAction is " + quoted(profile.DefaultAction) + ", want SCMP_ACT_…")
	}
	return string(data), nil
}
