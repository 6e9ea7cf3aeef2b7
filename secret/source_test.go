package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/zalando/go-keyring"
)

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct{ name, from, text string }{
		{"nothing", "", "KIND:REST"},
		{"the credential itself", "sk-ant-1234567890", "KIND:REST"},
		{"one with a colon", "user:pa55word", "none of age, env, exec, file, keyring, oauth"},
		{"no rest", "file:", `nothing follows "file:"`},
		{"a kind alone", "exec", `nothing follows "exec:"`},
		{"env alone without a name", "env", "env:NAME"},
		{"no variable's name", "env:A B", "env:NAME"},
		{"a line break", "file:a\nb", "control character"},
		{"an open quote", `exec:echo "a`, "not closed"},
		{"blanks", "exec:  ", "exec:COMMAND"},
		{"no identity", "age:file.age", "TIGHTSHIP_AGE_IDENTITY"},
		{"no home", "file:~/x", "HOME"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(tt.from, Options{LookupEnv: lookup(nil)})
			if !errors.Is(err, ErrReference) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
			if strings.Contains(fmt.Sprint(err), "1234567890") || strings.Contains(fmt.Sprint(err), "pa55word") {
				t.Errorf("it repeats what may be the credential: %v", err)
			}
		})
	}
}

func TestEnv(t *testing.T) {
	o := Options{LookupEnv: lookup(map[string]string{"MY_KEY_2": "abc", "EMPTY": "", "LINE": "a\n"}), Name: "my-key.2"}
	for from, want := range map[string]string{"env": "abc", "env:MY_KEY_2": "abc", "env:LINE": "a\n"} {
		if got, err := fetch(t, from, o); got != want || err != nil {
			t.Errorf("%s: %q, %v", from, got, err)
		}
	}
	for from, want := range map[string]error{"env:EMPTY": ErrEmpty, "env:GONE": ErrMissing} {
		if _, err := fetch(t, from, o); !errors.Is(err, want) || !strings.Contains(err.Error(), from[4:]) {
			t.Errorf("%s: %v", from, err)
		}
	}
	// From the process's own it is taken away, and can still be fetched again.
	t.Setenv("TIGHTSHIP_TEST_TAKEN", "abc")
	for range 2 {
		if got, err := fetch(t, "env:TIGHTSHIP_TEST_TAKEN", Options{}); got != "abc" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if v, ok := os.LookupEnv("TIGHTSHIP_TEST_TAKEN"); ok {
			t.Errorf("the variable is still %q", v)
		}
	}
}

func TestFile(t *testing.T) {
	path := tempFile(t, "abc\n")
	dir := filepath.Dir(path)
	o := Options{BaseDir: dir, LookupEnv: lookup(map[string]string{"HOME": dir})}
	for _, from := range []string{"file:" + path, "file:credential", "file:~/credential", "file:./credential"} {
		if got, err := fetch(t, from, o); got != "abc" || err != nil {
			t.Errorf("%s: %q, %v", from, got, err)
		}
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		want       error
	}{
		{"missing", filepath.Join(dir, "gone"), ErrMissing},
		{"a directory", dir, ErrMissing},
		{"a pipe that nobody writes to", fifo, ErrMissing},
		{"empty", tempFile(t, ""), ErrEmpty},
		{"a line break alone", tempFile(t, "\n"), ErrEmpty},
		{"too long", tempFile(t, strings.Repeat("x", MaxSize+1)), ErrTooLong},
	} {
		if _, err := fetch(t, "file:"+tt.path, o); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, tt := range []struct {
		mode os.FileMode
		uid  int // as which the file is looked at
		hint string
	}{
		{0o600, 0, ""}, {0o400, 0, ""}, {0o644, 0, "chmod 0600"}, {0o640, 0, "chmod 0600"}, {0o604, 0, "chmod 0600"}, {0o602, 0, "chmod 0600"},
		{0o440, 0, "chmod 0400"}, {0o444, 0, "chmod 0400"}, {0o755, 0, "chmod 0600"},
		{0o640, 1, ""}, {0o440, 1, ""}, {0o660, 1, "chmod 0640"}, {0o644, 1, "chmod 0640"},
	} {
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		err = private(path, info, os.Geteuid()+tt.uid)
		if tt.hint == "" && err != nil || tt.hint != "" && (!errors.Is(err, ErrPermissions) || !strings.Contains(err.Error(), tt.hint+" ")) {
			t.Errorf("mode %o, uid +%d: %v", tt.mode, tt.uid, err)
		}
	}
	os.Chmod(path, 0o644)
	for _, from := range []string{"file:" + path, "oauth:" + path} {
		if _, err := fetch(t, from, o); !errors.Is(err, ErrPermissions) {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// Whatever changes a file changes its stamp.
func TestStamp(t *testing.T) {
	path := tempFile(t, "abc")
	long := time.Now().Add(-time.Hour)
	os.Chtimes(path, long, long)
	seen := map[string]string{}
	note := func(step string) {
		s := stampOf(path)
		if was, ok := seen[s]; ok {
			t.Errorf("%s: as %s", step, was)
		}
		seen[s] = step
	}
	note("at first")
	write(t, path, "abd")
	note("written")
	other := write(t, path+".new", "abe")
	info, _ := os.Stat(path)
	os.Chtimes(other, info.ModTime(), info.ModTime())
	os.Rename(other, path)
	note("replaced")
	os.Chmod(path, 0o400)
	note("another mode")
	os.Remove(path)
	note("removed")
}

func encrypt(t *testing.T, text string, armored bool, to ...age.Recipient) string {
	t.Helper()
	var out bytes.Buffer
	if armored {
		a := armor.NewWriter(&out)
		w, err := age.Encrypt(a, to...)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
		w.Close()
		a.Close()
		return out.String()
	}
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(text))
	w.Close()
	return out.String()
}

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAge(t *testing.T) {
	id, stranger := newIdentity(t), newIdentity(t)
	keys := tempFile(t, "# created\n"+id.String()+"\n")
	for _, armored := range []bool{false, true} {
		file := tempFile(t, encrypt(t, "abc\n", armored, id.Recipient()))
		os.Chmod(file, 0o644) // it is encrypted
		for _, o := range []Options{{Identity: keys}, {LookupEnv: lookup(map[string]string{identityVariable: keys})}} {
			if got, err := fetch(t, "age:"+file, o); got != "abc" || err != nil {
				t.Errorf("armored %v: %q, %v", armored, got, err)
			}
		}
	}
	whole := encrypt(t, "abcdef", false, id.Recipient())
	pass, err := age.NewScryptRecipient("pass")
	if err != nil {
		t.Fatal(err)
	}
	pass.SetWorkFactor(10)
	open := tempFile(t, id.String())
	os.Chmod(open, 0o644)
	plugin := tempFile(t, "AGE-PLUGIN-FOO-1QQQQ\n")
	for _, tt := range []struct {
		name, file, keys string
		want             error
		text             string
	}{
		{"for somebody else", tempFile(t, encrypt(t, "abc", false, stranger.Recipient())), keys, ErrDecrypt, "none of the identities"},
		{"a passphrase", tempFile(t, encrypt(t, "abc", true, pass)), keys, ErrDecrypt, "passphrase"},
		{"not age", tempFile(t, "abc"), keys, ErrDecrypt, "no whole age file"},
		{"cut off", tempFile(t, whole[:len(whole)-3]), keys, ErrDecrypt, "damaged"},
		{"empty", tempFile(t, encrypt(t, "\n", false, id.Recipient())), keys, ErrEmpty, ""},
		{"too long", tempFile(t, encrypt(t, strings.Repeat("x", MaxSize+1), false, id.Recipient())), keys, ErrTooLong, ""},
		{"missing", "/no/such/file", keys, ErrMissing, ""},
		{"identities that others can read", tempFile(t, whole), open, ErrPermissions, "chmod 0600"},
		{"no identities", tempFile(t, whole), tempFile(t, "# none"), ErrDecrypt, "age-keygen"},
		{"empty identities", tempFile(t, whole), tempFile(t, ""), ErrDecrypt, "empty"},
		{"a plugin", tempFile(t, whole), plugin, ErrDecrypt, "plugin"},
		{"identities missing", tempFile(t, whole), "/no/such/keys", ErrMissing, "identities"},
	} {
		_, err := fetch(t, "age:"+tt.file, Options{Identity: tt.keys})
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	damaged := id.String()[:20] + "Q" + id.String()[21:]
	_, err = fetch(t, "age:"+tempFile(t, whole), Options{Identity: tempFile(t, damaged)})
	if err == nil || strings.Contains(err.Error(), damaged[15:30]) {
		t.Errorf("a damaged identity: %v", err)
	}
}

// Not parallel: the library's mock is the process's.
func TestKeyring(t *testing.T) {
	keyring.MockInit()
	o := Options{LookupEnv: lookup(map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"})}
	if err := keyring.Set("tightship", "anthropic", "abc"); err != nil {
		t.Fatal(err)
	}
	if got, err := fetch(t, "keyring:anthropic", o); got != "abc" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := fetch(t, "keyring:gone", o); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), `"gone"`) {
		t.Errorf("missing: %v", err)
	}
	keyring.MockInitWithError(errors.New("the bus\nis gone"))
	if _, err := fetch(t, "keyring:anthropic", o); !errors.Is(err, ErrNoKeyring) || !strings.Contains(err.Error(), "the bus is gone") {
		t.Errorf("broken: %v", err)
	}
	s := &keyringSource{name: "slow", limit: time.Millisecond, o: o, get: func(string, string) (string, error) { select {} }}
	if _, _, err := s.Fetch(t.Context()); !errors.Is(err, ErrNoKeyring) {
		t.Errorf("silent: %v", err)
	}
	asked := false
	s = &keyringSource{name: "x", limit: time.Minute, o: Options{LookupEnv: lookup(nil)}, get: func(string, string) (string, error) {
		asked = true
		return "", errors.New("asked")
	}}
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil {
		t.Skip("SKIPPED: this session has a bus")
	}
	if _, _, err := s.Fetch(t.Context()); !errors.Is(err, ErrNoKeyring) || asked {
		t.Errorf("without a bus: %v, asked %v", err, asked)
	}
}

// No error of any source holds the value that it is about.
func TestErrorsHoldNoValue(t *testing.T) {
	secret := plant()
	long := strings.Repeat(secret, MaxSize/len(secret)+1)
	bad := secret + "\x00"
	id := newIdentity(t)
	keys := tempFile(t, id.String())
	cut := encrypt(t, strings.Repeat(secret, 4000), false, id.Recipient())
	open := tempFile(t, secret)
	os.Chmod(open, 0o644)
	o := Options{Identity: keys, LookupEnv: lookup(map[string]string{"LONG": long, "HOME": "/"})}
	fail := func(from string) error {
		got, err := fetch(t, from, o)
		if err == nil {
			t.Errorf("%s gave %d bytes", from[:min(20, len(from))], len(got))
		}
		return err
	}
	e := newEndpoint(t)
	e.status, e.body = 400, `{"error":"`+secret+`","error_description":"`+secret+`"}`
	login := func(access string) string {
		return tempFile(t, `{"access_token":"`+access+`","refresh_token":"`+secret+`","expires_at":1,"token_url":"`+e.URL+`"}`)
	}
	all := []error{
		fail("env:LONG"), fail(secret), fail(secret + ":" + secret),
		fail("file:" + tempFile(t, long)), fail("file:" + open),
		fail("exec:sh -c 'echo " + secret + "; echo it was " + secret + " >&2; exit 1'"),
		fail("exec:sh -c 'printf %s " + base64.StdEncoding.EncodeToString([]byte(secret)) + " | base64 -d; exit 1'"),
		fail("exec:yes " + secret),
		fail("age:" + tempFile(t, cut[:len(cut)-9])), fail("age:" + tempFile(t, secret)),
		fail("oauth:" + tempFile(t, secret)), fail("oauth:" + tempFile(t, `{"`+secret+`":1,"`+secret+`":2}`)),
		fail("oauth:" + tempFile(t, `{"access_token":"`+secret+`\n"}`)), fail("oauth:" + tempFile(t, `{"access_token":"x","expires_at":"`+secret+`"}`)),
		fail("oauth:" + tempFile(t, `{"claudeAiOauth":"`+secret+`"}`)), fail("oauth:" + login("x")),
		newValue(t, bad).CheckHeader(),
	}
	s, err := Open("oauth:"+login(secret), Options{Client: e.Client()})
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []struct {
		status int
		body   string
	}{{400, e.body}, {400, `{"error":"invalid_grant"}`}, {500, secret}, {302, secret}, {0, `{"x":"` + secret + `"}`}, {0, secret}, {0, `{"access_token":"` + secret + `\u0000"}`}} {
		e.status, e.body, e.answer = answer.status, answer.body, answer.body
		_, _, err := s.Fetch(t.Context())
		all = append(all, err)
	}
	k := NewKeeper(s, KeeperOptions{})
	defer k.Close()
	all = append(all, k.Use(t.Context(), func([]byte) {}), k.Status().Err)
	for i, err := range all {
		if err == nil {
			t.Errorf("%d: no error", i)
			continue
		}
		// The command line is the user's own and holds the value only in this test.
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v %q", err, err, err)} {
			assertAbsent(t, fmt.Sprint("error ", i), text, secret)
		}
	}
	assertAbsent(t, "a Keeper", fmt.Sprintf("%v %+v %#v", k.Status(), k.Status(), k), secret)
}
