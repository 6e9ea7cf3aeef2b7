// Package hollow makes Go build overlays in which one function does nothing, as it
// returns zero values before its first statement, or in which a piece of the source
// is another one. Tests use it to show that such a change of any probe or judge is
// noticed, by building and running the real thing with it.
package hollow

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// Func is a function that can be hollowed out.
type Func struct {
	File string // absolute path
	Name string
}

// Find lists the functions and methods of the package in dir, tests aside,
// whose name is wanted.
func Find(dir string, wanted func(name string) bool) ([]Func, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []Func
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			return nil, err
		}
		for _, d := range tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && wanted(fn.Name.Name) {
				all = append(all, Func{abs, fn.Name.Name})
			}
		}
	}
	return all, nil
}

// Overlay writes an overlay file for go build and go test -overlay into dir, in
// which f returns at once. Zero is what it returns, as source ("Result{}"), ""
// for a function without results. The old body stays behind the return, so that
// nothing it imports becomes unused.
func Overlay(dir string, f Func, zero string) (string, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, f.File, nil, parser.ParseComments)
	if err != nil {
		return "", err
	}
	found := false
	for _, d := range tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != f.Name {
			continue
		}
		found = true
		ret := &ast.ReturnStmt{}
		if zero != "" {
			value, err := parser.ParseExpr(zero)
			if err != nil {
				return "", err
			}
			ret.Results = []ast.Expr{value}
		}
		fn.Body.List = append([]ast.Stmt{ret}, fn.Body.List...)
	}
	if !found {
		return "", fmt.Errorf("%s has no function %s", f.File, f.Name)
	}
	tree.Comments = nil // their positions no longer fit
	tree.Doc = nil
	hollowed := filepath.Join(dir, filepath.Base(f.File))
	out, err := os.Create(hollowed)
	if err != nil {
		return "", err
	}
	defer out.Close()
	if err := printer.Fprint(out, fset, tree); err != nil {
		return "", err
	}
	return write(dir, f.File, hollowed)
}

// Swap writes an overlay file for go build and go test -overlay into dir, in which a
// file has the text into in place of from. It is an error when from is not there
// exactly once: the list that it comes from is older than the file.
func Swap(dir, file, from, into string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), from); n != 1 {
		return "", fmt.Errorf("%s has %d times, and not once, the text %q", file, n, from)
	}
	swapped := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(swapped, []byte(strings.Replace(string(source), from, into, 1)), 0o600); err != nil {
		return "", err
	}
	return write(dir, file, swapped)
}

// write makes the overlay file in dir that puts one file in another one's place.
func write(dir, file, by string) (string, error) {
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{file: by}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}
