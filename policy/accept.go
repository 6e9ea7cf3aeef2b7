package policy

import (
	"fmt"
	"time"
)

// Accept makes one check's failure acceptable, in the open.
type Accept struct {
	Check  string `yaml:"check"`  // a check's ID
	Reason string `yaml:"reason"` // required
	Until  Date   `yaml:"until"`  // last day on which this counts, in UTC
}

// Date is a day, written 2006-01-02.
type Date string

const dateLayout = "2006-01-02"

// Active reports whether the acceptance still counts at now. It ends with the
// last second of Until in UTC, wherever the program runs, so that two people
// get the same verdict. A zero or malformed Until never counts.
func (a Accept) Active(now time.Time) bool {
	day, err := time.Parse(dateLayout, string(a.Until))
	return err == nil && now.Before(day.AddDate(0, 0, 1))
}

// ValidateChecks reports accepted checks that do not exist. The catalogue is
// passed in because package check imports this one; nearest may be nil, or
// return "" for "nothing is near". The error is an Errors.
func (p *Policy) ValidateChecks(known func(id string) bool, nearest func(id string) string) error {
	var errs Errors
	for i, a := range p.Accept {
		if known(a.Check) {
			continue
		}
		path := fmt.Sprintf("accept[%d].check", i)
		o := p.Origins[path]
		e := &Error{File: p.Source, Line: o.Line, Column: o.Column, Path: path, Msg: "no check has the ID " + quoted(a.Check)}
		if nearest != nil {
			e.Nearest = nearest(a.Check)
		}
		errs = append(errs, e)
	}
	return errs.orNil()
}
