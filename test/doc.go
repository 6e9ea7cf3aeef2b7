// Package test drives the real programs against a real engine, end to end.
//
// What the other packages' tests show with fakes is shown here for real: that
// the default policy is proven on the reference image, that every weaker policy
// fails and names its check, that no image, engine, guest, signal or meddler
// brings the program to say "proven" when it is not, and that nothing is left
// behind however a run ends.
//
// Most tests are scripts in testdata, which anyone can read; the commands they
// have beside testscript's own are listed at TestScripts. The images that are
// verified are written in the scripts too, a directive a line (see the image
// command), and become images by `docker load`, so that no base image, registry
// or build is needed and a hostile configuration can say whatever it likes.
//
// The broker's tests are in Go: a broker, an upstream of each kind (package upstream)
// and a hardened container in which unmodified clients are at work. They also need
// what `scripts/setup.sh clients` gets, and for gVisor the runtime runsc-broker.
//
// The lane needs a Docker engine, the docker command and the reference image,
// and starts only with TIGHTSHIP_E2E=1; otherwise every test is skipped and
// says so. It may share the engine with others: a run is recognised by the run
// ID of the process that was started, and nothing else is looked at or removed.
//
//	TIGHTSHIP_E2E=1 go test ./test
//	TIGHTSHIP_E2E=1 go test ./test -run 'Scripts/signals' -v
package test
