package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestActive(t *testing.T) {
	east := time.FixedZone("east", 14*3600)
	for _, row := range []struct {
		name  string
		until Date
		now   time.Time
		want  bool
	}{
		{"long before", "2030-06-15", time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), true},
		{"last second of the last day", "2030-06-15", time.Date(2030, 6, 15, 23, 59, 59, 999, time.UTC), true},
		{"first second after it", "2030-06-15", time.Date(2030, 6, 16, 0, 0, 0, 0, time.UTC), false},
		{"the next day, but not yet in UTC", "2030-06-15", time.Date(2030, 6, 16, 13, 59, 0, 0, east), true},
		{"leap day", "2028-02-29", time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC), true},
		{"no date", "", time.Date(2030, 6, 15, 0, 0, 0, 0, time.UTC), false},
		{"no such date", "2030-02-30", time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := (Accept{Until: row.until}).Active(row.now); got != row.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestValidateChecks(t *testing.T) {
	p := decode(t, "accept:\n- {check: fs.a, reason: r, until: 2030-01-01}\n- {reason: r, until: 2030-01-01, check: fs.bb}\n- {check: zz, reason: r, until: 2030-01-01}\n")
	ids := []string{"fs.a", "fs.b"}
	known := func(id string) bool { return id == "fs.a" || id == "fs.b" }
	err := p.ValidateChecks(known, func(id string) string { return Nearest(id, ids) })
	want := `tightship.yaml:3:34: accept[1].check: no check has the ID "fs.bb" (did you mean "fs.b"?)
tightship.yaml:4:4: accept[2].check: no check has the ID "zz"`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p.ValidateChecks(known, nil) == nil {
		t.Error("without nearest there is no error")
	}
	if err := p.ValidateChecks(func(string) bool { return true }, nil); err != nil {
		t.Errorf("%v although all are known", err)
	}
}
