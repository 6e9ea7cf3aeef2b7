// Package hollow makes Go build overlays in which one function does nothing: it
// returns zero values before its first statement. Tests use it to show that
// deleting the body of any probe or judge is noticed, by building and running
// the real thing without it.
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
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{f.File: hollowed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}
