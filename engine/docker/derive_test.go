package docker

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

func init() {
	calls["derive"] = func(ctx context.Context, e *Engine) error {
		_, err := e.Derive(ctx, "a/b:c", spec.ImageChange{}, map[string]string{engine.Label: "run"})
		return err
	}
	calls["rmimage"] = func(ctx context.Context, e *Engine) error { return e.RemoveImage(ctx, "a/b:c") }
}

// An image with a volume where a file is to go would lose it: an error, and
// nothing is made. An image that was not derived is never removed.
func TestDeriveRefuses(t *testing.T) {
	var asked []string
	e := connect(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		switch {
		case strings.HasSuffix(r.URL.Path, "/history"):
			fmt.Fprint(w, `[{"CreatedBy":"ARG TOKEN","Comment":"by hand"},{"CreatedBy":""}]`)
		default:
			fmt.Fprintf(w, `{"Id":"sha256:%s","Os":"linux","Architecture":"amd64","Config":{"Volumes":{"/home/a/":{}},"Labels":{"tightship":"x"}}}`, someID)
		}
	})
	img, err := e.Image(t.Context(), "i")
	if err != nil || !slices.Equal(img.History, []string{"ARG TOKEN", "by hand"}) {
		t.Errorf("history %q, %v", img.History, err)
	}
	_, err = e.Derive(t.Context(), "i", spec.ImageChange{Files: []spec.File{{Path: "/home/a/.netrc"}}}, nil)
	good(t, err, engine.ErrNoDerive, "/home/a/")
	_, err = e.Derive(t.Context(), "i", spec.ImageChange{Files: []spec.File{{Path: "relative"}}}, nil)
	good(t, err, errInput, "absolute")
	good(t, e.RemoveImage(t.Context(), "i"), errInput, "was not made here")
	for _, a := range asked {
		if !strings.HasPrefix(a, "GET ") {
			t.Errorf("asked for %s", a)
		}
	}
}

// An image with a name is somebody's, whatever labels it inherited.
func TestListLeavesNamedImages(t *testing.T) {
	e := connect(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/images/json"):
			labels := `"Labels":{"tightship":"r","tightship.derived-from":"sha256:1"}`
			fmt.Fprintf(w, `[{"Id":"sha256:1",%s,"RepoTags":["mine:1"]},{"Id":"sha256:2",%s,"RepoTags":["<none>:<none>"]},{"Id":"sha256:3","Labels":{"tightship":"r"}},{"Id":"sha256:4",%s}]`, labels, labels, labels)
		case strings.HasSuffix(r.URL.Path, "/volumes"):
			io.WriteString(w, `{}`)
		default:
			io.WriteString(w, `[]`)
		}
	})
	got, err := e.List(t.Context(), "r")
	want := []engine.Resource{{Kind: "image", ID: "sha256:2", Name: "sha256:2", RunID: "r"}, {Kind: "image", ID: "sha256:4", Name: "sha256:4", RunID: "r"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// What a derived image has, a container made from it shows; and it goes without
// its parent.
func TestRealDerive(t *testing.T) {
	e, run := real(t)
	ctx := within(t)
	labels := map[string]string{engine.Label: run}
	capability := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	comment := "ARG TOKEN=x"
	if e.podman {
		_, err := e.Derive(ctx, image(t), spec.ImageChange{Comment: comment}, labels)
		good(t, err, engine.ErrNoDerive, "history")
		comment = ""
	}
	ref, err := e.Derive(ctx, image(t), spec.ImageChange{
		Env: []string{`ODD="$HOME" \`}, Labels: map[string]string{"a.b": "c d"}, User: "0:0", Comment: comment,
		Files: []spec.File{
			{Path: "/new/dir", Mode: 0o40700, UID: 7, GID: 8},
			{Path: "/new/dir/file", Mode: 0o4755, UID: 7, GID: 8, Content: []byte("content"), Xattrs: map[string]string{"security.capability": string(capability)}},
		},
	}, labels)
	if err != nil {
		t.Fatal(err)
	}
	img, err := e.Image(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if img.ID != ref || img.User != "0:0" || img.Labels["a.b"] != "c d" || img.Labels[engine.Label] != run {
		t.Errorf("%+v", img)
	}
	for _, want := range []string{`ODD="$HOME" \`, "FROM_IMAGE=1"} {
		if !slices.Contains(img.Env, want) {
			t.Errorf("the environment lacks %s: %q", want, img.Env)
		}
	}
	if !strings.Contains(strings.Join(img.History, "\n"), comment) {
		t.Errorf("the history is %q", img.History)
	}
	list, err := e.List(ctx, run)
	if err != nil || len(list) != 1 || list[0] != (engine.Resource{Kind: "image", ID: ref, Name: ref, RunID: run}) {
		t.Errorf("list %+v, %v", list, err)
	}
	id, err := e.Create(ctx, "", spec.Container{Image: ref, Cmd: []string{"/helper", "stat", "/new/dir/file"}, Labels: labels, Network: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if !e.podman { // what runs is for another test where it can
		s, err := e.Attach(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := e.Start(ctx, id); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s.Stdout)
		if want := fmt.Sprintf(`7:8 4755 "content" %x`, capability); string(got) != want || err != nil {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	if err := e.Remove(ctx, id); err != nil {
		t.Error(err)
	}
	for range 2 { // also when it is gone
		if err := e.RemoveImage(ctx, ref); err != nil {
			t.Error(err)
		}
	}
	if list, err := e.List(ctx, run); err != nil || len(list) != 0 {
		t.Errorf("list %+v, %v", list, err)
	}
	if _, err := e.Image(ctx, image(t)); err != nil {
		t.Errorf("the parent is gone: %v", err)
	}
}
