package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVariables(t *testing.T) {
	const source = `
credentials:
  - name: model
    from: env
    route: {listen: /model, upstream: "https://api.example.com"}
    attach: {header: x-api-key}
    sets: {MODEL_BASE_URL: "http://127.0.0.1:{port}/model", MODEL_API_KEY: placeholder}
  - name: hub
    from: env
    route: {listen: /git/github.com, upstream: "https://github.com"}
    attach: {basic: x-access-token}
    git: {repositories: [acme/widget]}
  - name: lab
    from: env
    route: {listen: /git/lab, upstream: "https://git.example.com/scm"}
    attach: bearer
    git: {repositories: [acme/widget]}
`
	p, err := Decode("test.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=url.http://127.0.0.1:8080/git/github.com/.insteadOf",
		"GIT_CONFIG_KEY_1=url.http://127.0.0.1:8080/git/lab/.insteadOf",
		"GIT_CONFIG_VALUE_0=https://github.com/",
		"GIT_CONFIG_VALUE_1=https://git.example.com/scm/",
		"MODEL_API_KEY=placeholder",
		"MODEL_BASE_URL=http://127.0.0.1:8080/model",
	}
	if diff := cmp.Diff(want, p.Variables(8080)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Default().Variables(8080); len(got) != 0 {
		t.Errorf("of a policy without credentials: %v", got)
	}
}
