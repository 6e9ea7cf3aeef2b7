package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/report"
)

// formats are the values of -o, and how each is rendered into a file.
var formats = []struct {
	name   string
	render func(io.Writer, report.Report) error
}{
	{"text", func(w io.Writer, r report.Report) error { return report.Text(w, r, report.TextOptions{}) }},
	{"json", report.JSON},
	{"junit", report.JUnit},
}

func formatNames() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// sink is a file that a report goes to.
type sink struct {
	name   string // as the user wrote it
	format string
	render func(io.Writer, report.Report) error
	// path is where it is written: name with links resolved.
	path string
	// direct is set for what is no regular file: a device or a pipe is written
	// to, never replaced.
	direct bool
}

// outputs is what -o asked for.
type outputs struct {
	stdout string // format on standard output
	files  []sink
}

// parseOutputs reads the values of -o, each FORMAT or FORMAT=FILE. Text goes to
// standard output unless another format does.
func parseOutputs(values []string) (outputs, error) {
	var o outputs
	for _, v := range values {
		format, file, hasFile := strings.Cut(v, "=")
		i := slices.Index(formatNames(), format)
		if i < 0 {
			return o, unknownFormat(v, format)
		}
		if hasFile && file == "" {
			return o, withHint(fmt.Errorf("-o %s names no file", v), "write -o %s=FILE, or -o %s for standard output", format, format)
		}
		if !hasFile || isStdout(file) {
			if o.stdout != "" {
				return o, withHint(fmt.Errorf("%s and %s would both go to standard output", o.stdout, format), "send one of them to a file: -o %s=FILE", format)
			}
			o.stdout = format
			continue
		}
		o.files = append(o.files, sink{name: file, format: format, render: formats[i].render})
	}
	if o.stdout == "" {
		o.stdout = "text"
	}
	return o, nil
}

func unknownFormat(value, format string) error {
	err := fmt.Errorf("%q is no output format", format)
	ext := strings.TrimPrefix(filepath.Ext(value), ".")
	if slices.Contains(formatNames(), ext) {
		return withHint(err, "to write %s to that file: -o %s=%s", ext, ext, value)
	}
	return withHint(err, "the formats are %s", strings.Join(formatNames(), ", "))
}

func isStdout(file string) bool {
	return slices.Contains([]string{"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}, file)
}

// check finds out whether every file can be written, before a long run.
func (o *outputs) check() error {
	seen := map[string]string{}
	for i := range o.files {
		s := &o.files[i]
		if err := s.check(); err != nil {
			return withHint(fmt.Errorf("cannot write %s: %w", s.name, cause(err)), "nothing was started; choose another place for %s", s.option())
		}
		if other, ok := seen[s.path]; ok && !s.direct {
			return withHint(fmt.Errorf("%s and %s would both be written to %s", other, s.format, s.name), "give each -o a file of its own")
		}
		seen[s.path] = s.format
	}
	return nil
}

// option is how the file was asked for.
func (s *sink) option() string {
	if s.format == "receipt" {
		return "--receipt FILE"
	}
	return "-o " + s.format + "=FILE"
}

func (s *sink) check() error {
	s.path = s.name
	info, err := os.Stat(s.name)
	switch {
	case err == nil && info.IsDir():
		return errors.New("it is a directory")
	case err == nil && info.Mode()&fs.ModeNamedPipe != 0:
		s.direct = true // opening it could wait for a reader
		return nil
	case err == nil:
		s.direct = !info.Mode().IsRegular()
		f, err := os.OpenFile(s.name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil || s.direct {
			return err
		}
		if s.path, err = filepath.EvalSymlinks(s.name); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if _, err := os.Lstat(s.name); err == nil {
			return errors.New("it is a symbolic link to nothing")
		}
	}
	if s.path, err = filepath.Abs(s.path); err != nil {
		return err
	}
	// What will be needed is a new file beside it.
	f, err := temporary(s.path)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// temporary creates a file beside path with the permissions that a new file
// gets, which those of os.CreateTemp are not.
func temporary(path string) (*os.File, error) {
	name := filepath.Join(filepath.Dir(path), ".tightship-"+rand.Text()+".tmp")
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// write writes the whole report or nothing: a reader of the file sees the old
// one or the new one.
func (s *sink) write(r report.Report) error {
	if s.direct {
		f, err := os.OpenFile(s.path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(s.render(f, r), f.Close())
	}
	f, err := temporary(s.path)
	if err != nil {
		return err
	}
	err = s.render(f, r)
	if err == nil {
		err = f.Sync()
	}
	if old, statErr := os.Stat(s.path); statErr == nil && err == nil {
		err = f.Chmod(old.Mode().Perm())
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to tell
	}
	return err
}
