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

// format is a value of -o, and how a result of the kind R is rendered into a file.
type format[R any] struct {
	name   string
	render func(io.Writer, R) error
}

// formats are those of a report.
var formats = func() []format[report.Report] {
	var all []format[report.Report]
	for _, f := range report.Formats() {
		all = append(all, format[report.Report]{f.Name, f.Render})
	}
	return all
}()

// proofFormats are those of a proof.
var proofFormats = []format[report.Proof]{
	{"text", func(w io.Writer, p report.Proof) error { return report.ProofText(w, p, report.TextOptions{}) }},
	{"json", report.ProofJSON},
	{"markdown", report.ProofMarkdown},
	{"html", report.ProofHTML},
}

func formatNames() []string { return namesOf(formats) }

func namesOf[R any](formats []format[R]) []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// sink is a file that a result of the kind R goes to.
type sink[R any] struct {
	name   string // as the user wrote it
	format string
	render func(io.Writer, R) error
	// path is where it is written: name with links resolved.
	path string
	// direct is set for what is no regular file: a device or a pipe is written
	// to, never replaced.
	direct bool
}

// outputs is what -o asked for, for a report.
type outputs = outputsOf[report.Report]

// outputsOf is what -o asked for, for a result of the kind R.
type outputsOf[R any] struct {
	stdout string // format on standard output
	files  []sink[R]
}

// parseOutputs reads the values of -o, each FORMAT or FORMAT=FILE. Text goes to
// standard output unless another format does.
func parseOutputs(values []string) (outputs, error) { return parseOutputsOf(values, formats) }

func parseOutputsOf[R any](values []string, formats []format[R]) (outputsOf[R], error) {
	var o outputsOf[R]
	for _, v := range values {
		format, file, hasFile := strings.Cut(v, "=")
		i := slices.Index(namesOf(formats), format)
		if i < 0 {
			return o, unknownFormat(v, format, namesOf(formats))
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
		o.files = append(o.files, sink[R]{name: file, format: format, render: formats[i].render})
	}
	if o.stdout == "" {
		o.stdout = "text"
	}
	return o, nil
}

func unknownFormat(value, format string, known []string) error {
	err := fmt.Errorf("%q is no output format", format)
	ext := strings.TrimPrefix(filepath.Ext(value), ".")
	if slices.Contains(known, ext) {
		return withHint(err, "to write %s to that file: -o %s=%s", ext, ext, value)
	}
	return withHint(err, "the formats are %s", strings.Join(known, ", "))
}

func isStdout(file string) bool {
	return slices.Contains([]string{"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}, file)
}

// check finds out whether every file can be written, before a long run.
func (o *outputsOf[R]) check() error {
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
func (s *sink[R]) option() string {
	if s.format == "receipt" {
		return "--receipt FILE"
	}
	return "-o " + s.format + "=FILE"
}

func (s *sink[R]) check() error {
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
func (s *sink[R]) write(r R) error {
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

// deliverFiles writes a result to its files. Where one cannot be written, or
// standard output could not, the result is shown on standard error unless it was
// already: the run that made it may have been a long one. Ended is the hint that
// goes with the error.
func deliverFiles[R any](a *app, out outputsOf[R], r R, what, ended string, text func(io.Writer, R, report.TextOptions) error) error {
	lost := false
	for _, s := range out.files {
		if err := s.write(r); err != nil {
			lost = true
			a.ui.error(withHint(fmt.Errorf("cannot write %s: %w", s.name, cause(err)), "%s", ended))
		}
	}
	shown := out.stdout == "text" && a.ui.out.err == nil
	if (lost || a.ui.out.err != nil) && !shown {
		a.ui.note("the %s, so that it is not lost:", what)
		if err := text(a.ui.err, r, report.TextOptions{Verbose: true}); err != nil {
			return fmt.Errorf("cannot write the %s to standard error either: %w", what, cause(err))
		}
	}
	if lost {
		return verdict(exitError)
	}
	return nil
}

// worst is the exit code that several outcomes come to, nil where all are proven.
func worst(outcomes []string) error {
	code := error(nil)
	for _, o := range outcomes {
		switch o {
		case "proven":
		case "failed":
			return verdict(exitFailed)
		default:
			code = verdict(exitInconclusive)
		}
	}
	return code
}
