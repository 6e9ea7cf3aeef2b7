package policy

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxFileSize is the largest policy that is read, in bytes.
const MaxFileSize = 1 << 20

// Load reads a policy file. Its error is an Errors; errors.Is finds
// fs.ErrNotExist and fs.ErrPermission in it.
func Load(path string) (*Policy, error) {
	fail := func(msg string, err error) (*Policy, error) {
		return nil, Errors{{File: path, Msg: msg, Err: err}}
	}
	f, err := os.Open(path)
	if err != nil {
		return fail("cannot be read: "+cause(err), err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fail("is a directory, want a file", nil)
	}
	// One byte more than allowed tells too large from just right, also for a
	// pipe that has no size.
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return fail("cannot be read: "+cause(err), err)
	}
	return Decode(path, data)
}

// cause is the error without the path, which stands in front of it anyway.
func cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// Decode reads a policy from memory; name is what errors and Source call it.
// Nothing else is read: a seccomp file is looked at by Container. The error is
// an Errors with everything that is wrong.
func Decode(name string, data []byte) (*Policy, error) {
	d := &decoder{file: name, policy: Default()}
	d.policy.Source = name
	root, bad := parse(data)
	if bad != nil {
		bad.File = name
		return nil, Errors{bad}
	}
	if root != nil {
		if d.plain(root); len(d.errs) == 0 {
			d.root(root)
		}
	}
	if err := d.errs.orNil(); err != nil {
		return nil, err
	}
	return d.policy, nil
}

// parse returns the one value of the file, or nil if it has none.
func parse(data []byte) (*yaml.Node, *Error) {
	if len(data) > MaxFileSize {
		return nil, &Error{Msg: "is larger than 1 MiB, which no policy is"}
	}
	if bad := text(data); bad != nil {
		return nil, bad
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntax(err, data)
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, &Error{Line: second.Line, Column: second.Column, Msg: "a second document starts here, a policy is one document"}
	case !errors.Is(err, io.EOF):
		return nil, syntax(err, data)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" && root.Anchor == "" {
		return nil, nil
	}
	return root, nil
}

// text refuses bytes and characters that would show a reviewer another file
// than the one YAML reads: line breaks that editors do not break at, and marks
// that turn the order of the letters around.
func text(data []byte) *Error {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		msg := ""
		switch {
		case r == utf8.RuneError && size == 1:
			msg = "is not UTF-8 text"
		case r == '\r' && (i+1 == len(data) || data[i+1] != '\n'),
			r == '\u0085', r == '\u2028', r == '\u2029':
			msg = "holds a line break that editors do not show, " + strconv.QuoteRuneToASCII(r)
		case unicode.Is(unicode.Bidi_Control, r):
			msg = "holds an invisible mark that reorders text, " + strconv.QuoteRuneToASCII(r)
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			msg = "holds a control character, " + strconv.QuoteRuneToASCII(r)
		}
		if msg != "" {
			return &Error{Line: line, Column: column, Msg: msg}
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		i += size
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^(?:line (\d+): )?`)

// syntax turns what the YAML parser says into an Error. The parser counts its
// lines from 0 in some places and from 1 in others, so one can lie just
// behind the end.
func syntax(err error, data []byte) *Error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	m := yamlLine.FindStringSubmatch(msg)
	line, _ := strconv.Atoi(m[1])
	rest := msg[len(m[0]):]
	if strings.HasPrefix(rest, "unknown anchor") { // followed by its name, which can be a password that begins with *
		rest = "an alias (*) that stands for nothing; a text that begins with * needs quotes"
	}
	return &Error{
		Line: min(max(line, 1), 1+bytes.Count(data, []byte("\n"))),
		Msg:  "is not valid YAML: " + rest,
	}
}
