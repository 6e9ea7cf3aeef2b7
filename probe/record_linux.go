package probe

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// recorder collects one observation.
type recorder struct {
	obs *Observation
}

// try records an attempt and its outcome.
func (r *recorder) try(act, on string, err error) *Attempt {
	if len(r.obs.Attempts) >= MaxAttempts {
		r.fact("truncated", "true")
		return &Attempt{}
	}
	r.obs.Attempts = append(r.obs.Attempts, Attempt{Act: act, On: clip(on), OK: err == nil, Errno: errnoName(err)})
	return &r.obs.Attempts[len(r.obs.Attempts)-1]
}

// control records an attempt made to show that such an attempt can succeed.
func (r *recorder) control(act, on string, err error) *Attempt {
	a := r.try(act, on, err)
	a.Control = true
	return a
}

// fact records a value that was read.
func (r *recorder) fact(key string, value any) {
	if r.obs.Facts == nil {
		r.obs.Facts = map[string]string{}
	}
	if _, known := r.obs.Facts[key]; !known && len(r.obs.Facts) >= MaxAttempts-1 {
		key, value = "truncated", "true"
	}
	r.obs.Facts[key] = clip(fmt.Sprint(value))
}

// fail records that the probe could not do its work.
func (r *recorder) fail(format string, args ...any) {
	r.obs.Error = clip(fmt.Sprintf(format, args...))
}

// errnoName names an error's errno, "error" when it has none and "" for nil.
func errnoName(err error) string {
	if err == nil {
		return ""
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return "timeout"
		}
		return "error"
	}
	if name := unix.ErrnoName(errno); name != "" {
		return name
	}
	return fmt.Sprintf("errno%d", int(errno))
}

// errno turns a raw system call's result into an error.
func errno(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// clip bounds a string and makes it valid UTF-8, so that it survives JSON.
func clip(s string) string {
	if len(s) > MaxText {
		s = s[:MaxText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
