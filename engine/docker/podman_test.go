package docker

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// podman connects to a fake Podman.
func podman(t *testing.T, h http.HandlerFunc) *Engine {
	t.Helper()
	mux := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/version"):
			fmt.Fprint(w, `{"Version":"4.3.1","ApiVersion":"1.41","Os":"linux","Arch":"amd64","Components":[{"Name":"Podman Engine"}]}`)
		case strings.HasSuffix(r.URL.Path, "/info"):
			fmt.Fprint(w, `{"OSType":"linux","Rootless":true,"DefaultRuntime":"crun","Runtimes":{"crun":{"path":"/crun"},"runsc":{"path":"/runsc"}}}`)
		case strings.HasSuffix(r.URL.Path, "/_ping"):
			w.Header().Set("Api-Version", "1.41")
		default:
			h(w, r)
		}
	}
	e, err := New(t.Context(), Options{Host: serve(t, http.HandlerFunc(mux)), Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// What Podman would drop without a word has to reach it in its own words.
func TestPodmanCreate(t *testing.T) {
	var host container.HostConfig
	var argv []string
	var file string
	e := podman(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Entrypoint, Cmd []string
			HostConfig      *container.HostConfig
		}
		json.NewDecoder(r.Body).Decode(&body)
		host, argv = *body.HostConfig, append(append(body.Entrypoint, "|"), body.Cmd...)
		for _, o := range host.SecurityOpt {
			if name, ok := strings.CutPrefix(o, "seccomp="); ok {
				b, err := os.ReadFile(name)
				st, _ := os.Stat(name)
				if err != nil || string(b) != `{"x":1}` || st.Mode().Perm() != 0o644 {
					t.Errorf("profile %q %v %v", b, st, err)
				}
				file = name
			}
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"Id":%q}`, someID)
	})
	good := spec.Container{
		Image: "x", Cmd: []string{"x", "y"}, ReadonlyRootfs: true, Seccomp: `{"x":1}`, Runtime: "crun",
		Tmpfs: map[string]spec.Tmpfs{"/tmp": {Size: 9}},
		Mounts: []spec.Mount{
			{Kind: spec.Volume, Source: "plain", Target: "/run"}, {Kind: spec.Volume, Source: "guest", Target: "/g", ReadOnly: true, Suid: true},
		},
	}
	if _, err := e.Create(t.Context(), "n", good); err != nil {
		t.Fatal(err)
	}
	if want := []string{"x", "|", "y"}; !slices.Equal(argv, want) {
		t.Errorf("the image's own entrypoint would run: %q", argv)
	}
	if !readOnly(host.Tmpfs["/var/tmp"]) || readOnly(host.Tmpfs["/tmp"]) || host.Tmpfs["/run"] != "" {
		t.Errorf("tmpfs %v", host.Tmpfs)
	}
	if want := []string{"guest:/g:ro,suid,nocopy"}; !slices.Equal(host.Binds, want) || len(host.Mounts) != 1 {
		t.Errorf("binds %v, mounts %v", host.Binds, host.Mounts)
	}
	if _, err := os.Stat(file); file == "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the profile's file %q is still there: %v", file, err)
	}

	writable := good.Clone()
	writable.ReadonlyRootfs = false
	if _, err := e.Create(t.Context(), "n", writable); err != nil || len(host.Tmpfs) != 1 {
		t.Errorf("a writable root: tmpfs %v, %v", host.Tmpfs, err)
	}
	unmasked := good.Clone()
	unmasked.Unmasked = true
	if _, err := e.Create(t.Context(), "n", unmasked); err != nil || !slices.Contains(host.SecurityOpt, "unmask=ALL") {
		t.Errorf("nothing hidden: %q, %v", host.SecurityOpt, err)
	}
	other := good.Clone()
	other.Runtime = "runsc"
	if _, err := e.Create(t.Context(), "n", other); !errors.Is(err, engine.ErrRuntime) {
		t.Errorf("another runtime: %v", err)
	}
	colon := good.Clone()
	colon.Mounts[1].Target = "/g:rw"
	if _, err := e.Create(t.Context(), "n", colon); !errors.Is(err, errInput) {
		t.Errorf("a colon: %v", err)
	}
	if info, err := e.Info(t.Context()); err != nil || !slices.Equal(info.Runtimes, []string{"crun"}) || !info.Rootless {
		t.Errorf("runtimes %v, %v", info.Runtimes, err)
	}
}

func TestPodmanProfileNeedsItsHost(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	where, err := parseHost("tcp://"+s.Listener.Addr().String(), "a test", tlsFromEnv)
	if err != nil {
		t.Fatal(err)
	}
	d := newDialer(where)
	host := &container.HostConfig{SecurityOpt: []string{`seccomp={"x":1}`}}
	if _, err := (&Engine{dialer: d}).podmanSeccomp(host); !errors.Is(err, errInput) {
		t.Errorf("%v", err)
	}
}

// Podman's inspection, shortened; what is missing must not read as a protection.
func TestPodmanDeclared(t *testing.T) {
	base := `"AUDIT_WRITE","CHOWN","DAC_OVERRIDE","FOWNER","FSETID","KILL","MKNOD","NET_BIND_SERVICE","NET_RAW","SETFCAP","SETGID","SETPCAP","SETUID"`
	e := podman(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"Id":%q,"State":{},"Config":{"Hostname":"abc","Env":["A=1","HOSTNAME=abc"]},"HostConfig":{
			"Runtime":"oci","PidMode":"private","UTSMode":"private","ReadonlyRootfs":true,"SecurityOpt":["seccomp=/tmp/p.json"],
			"CapDrop":[%s],"CapAdd":["SYS_ADMIN"],
			"Tmpfs":{"/tmp":"rw,noexec,nosuid,nodev,size=9,tmpcopyup","/run":"ro,suid,dev,tmpcopyup","/var/tmp":"ro,rw,nosuid"},
			"Ulimits":[{"Name":"RLIMIT_CORE","Hard":0,"Soft":0}]}}`, someID, base)
	})
	e.profiles.Store("/tmp/p.json", "{}")
	st, err := e.Inspect(t.Context(), someID)
	if err != nil {
		t.Fatal(err)
	}
	want := spec.Container{
		Env: []string{"A=1"}, ReadonlyRootfs: true, Seccomp: "{}", Network: "bridge", Swap: spec.Unlimited,
		Tmpfs:   map[string]spec.Tmpfs{"/tmp": {Size: 9}, "/var/tmp": {Exec: true, Dev: false, Suid: false}},
		Ulimits: map[string]int64{"core": 0},
		CapDrop: []string{"ALL"}, CapAdd: []string{"SYS_ADMIN", "SYS_CHROOT"},
	}
	if diff := cmp.Diff(want, st.Declared); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !slices.Contains(st.Undeclared, "sysctls") || !slices.Contains(st.Undeclared, "unmasked") {
		t.Errorf("undeclared: %v", st.Undeclared)
	}
}

func TestPodmanCopy(t *testing.T) {
	parts := map[string][]string{}
	e := podman(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprintf(w, `{"Id":%q,"State":{},"Config":{},"HostConfig":{},"Mounts":[
				{"Type":"volume","Name":"a","Destination":"/v"},{"Type":"volume","Name":"b","Destination":"/v/inner"},{"Type":"bind","Source":"/x","Destination":"/bind"}]}`, someID)
			return
		}
		in := tar.NewReader(r.Body)
		for h, err := in.Next(); err == nil; h, err = in.Next() {
			b, _ := io.ReadAll(in)
			dir := r.URL.Query().Get("path")
			parts[dir] = append(parts[dir], fmt.Sprintf("%s %o %d %s%s", h.Name, h.Mode, h.Uid, b, h.PAXRecords["SCHILY.xattr.x"]))
		}
	})
	err := e.CopyTo(t.Context(), someID, tarball(
		tar.Header{Name: "v/suid", Mode: 0o4755, PAXRecords: map[string]string{"SCHILY.xattr.x": "!"}}, "one",
		tar.Header{Name: "v/inner/", Mode: 0o755, Uid: 7, Typeflag: tar.TypeDir}, "",
		tar.Header{Name: "vx", Mode: 0o600}, "two",
		tar.Header{Name: "bind/file", Mode: 0o600}, "three",
	))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"/v": {"./suid 4755 0 one!"}, "/v/inner": {"./ 755 7 "}, "/": {"./vx 600 0 two", "./bind/file 600 0 three"}}
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	err = e.CopyTo(t.Context(), someID, tarball(tar.Header{Name: "l", Linkname: "v/suid", Typeflag: tar.TypeLink}, ""))
	if !errors.Is(err, errInput) {
		t.Errorf("a hard link: %v", err)
	}
	if err := e.CopyTo(t.Context(), someID, strings.NewReader(strings.Repeat("x", 2048))); !errors.Is(err, errSource) {
		t.Errorf("no tar: %v", err)
	}
}

// Whatever the stream, nothing gets out of the directory that it is for.
func FuzzSplitTar(f *testing.F) {
	b, _ := io.ReadAll(tarball(tar.Header{Name: "../v/../../x", Mode: 1}, "one", tar.Header{Name: "v", Typeflag: tar.TypeDir}, ""))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := splitTar(bytes.NewReader(b), []string{"/v"})
		if err != nil {
			return
		}
		for _, p := range parts {
			in := tar.NewReader(&p.content)
			for h, err := in.Next(); err == nil; h, err = in.Next() {
				if h.Name != "." && !strings.HasPrefix(h.Name, "./") || strings.Contains(h.Name+"/", "/../") {
					t.Errorf("%s in %s", h.Name, p.dir)
				}
			}
		}
	})
}

func TestPodmanRuntimeMessages(t *testing.T) {
	for message, want := range map[string]bool{
		`default OCI runtime "nope" not found: invalid argument`:                                          true,
		"runc: exec: stat /x: no such file: OCI runtime attempted to invoke a command that was not found": false,
	} {
		if err := explainStatus(500, nil, errors.New(message)); errors.Is(err, engine.ErrRuntime) != want {
			t.Errorf("%s: %v", message, err)
		}
	}
}
