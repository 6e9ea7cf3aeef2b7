package broker

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/policy"
)

// bucket is a token bucket. The zero value is full.
type bucket struct {
	used float64 // tokens that are gone
	at   time.Time
}

// take takes a token, of most that grow back at rate a second.
func (b *bucket) take(now time.Time, rate, most float64) bool {
	if gone := now.Sub(b.at).Seconds(); gone > 0 {
		b.used = max(0, b.used-gone*rate)
		b.at = now
	}
	if b.used+1 > most {
		return false
	}
	b.used++
	return true
}

// usage is what one sandbox has used of one credential. It outlives a change of the
// policy; the requests are counted again when the broker starts, see recount.
type usage struct {
	credential string // its name

	mu       sync.Mutex
	rate     bucket
	underWay map[use]struct{}
	requests int64
}

// The rules of limits.
const (
	RuleRate        = "rate"
	RuleConcurrency = "concurrency"
	RuleBudget      = "budget"
)

// begin counts a request in, or says why not. Whoever began must end. A rate of 100/min
// allows a hundred at once, and then as many as grow back.
func (u *usage) begin(now time.Time, l policy.Bounds, x use) *denial {
	u.mu.Lock()
	defer u.mu.Unlock()
	if most := int64(l.Budget.Requests); most > 0 && u.requests >= most {
		return deny(RuleBudget, http.StatusForbidden, "the budget of %s is used up (limits.budget of the credential %s)", some(most), u.credential)
	}
	if most := int64(l.Concurrency); most > 0 && int64(len(u.underWay)) >= most {
		return deny(RuleConcurrency, http.StatusTooManyRequests, "no more than %s may be under way at once (limits.concurrency of the credential %s)", some(most), u.credential).after(1)
	}
	if l.Rate.Requests > 0 {
		most := float64(l.Rate.Requests)
		perSecond := most / l.Rate.Per.Seconds()
		if !u.rate.take(now, perSecond, most) {
			wait := int(1/perSecond) + 1
			return deny(RuleRate, http.StatusTooManyRequests, "more than %s in %v (limits.rate of the credential %s)", some(l.Rate.Requests), l.Rate.Per, u.credential).after(wait)
		}
	}
	if u.underWay == nil {
		u.underWay = map[use]struct{}{}
	}
	u.underWay[x] = struct{}{}
	u.requests++
	return nil
}

// some is a number of requests in words.
func some(requests int64) string {
	if requests == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", requests)
}

func (u *usage) end(x use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.underWay, x)
}

// cut ends what is under way.
func (u *usage) cut() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for x := range u.underWay {
		x.Cancel()
	}
}

// counts is the requests so far and those under way.
func (u *usage) counts() (requests int64, underWay int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.requests, len(u.underWay)
}

// denial is a request that is refused, by whatever rule.
type denial struct {
	rule      string
	status    int
	reason    string
	cause     error // for the ledger alone: it may name files and commands of the host
	allowLine string
	where     string // in the policy the line belongs
	retry     int    // seconds; 0 says nothing
}

func deny(rule string, status int, format string, args ...any) *denial {
	return &denial{rule: rule, status: status, reason: fmt.Sprintf(format, args...)}
}

// because adds what is the operator's to know.
func (d *denial) because(err error) *denial {
	d.cause = err
	return d
}

// recorded is the reason as the ledger has it.
func (d *denial) recorded() string {
	if d.cause == nil {
		return d.reason
	}
	return d.reason + ": " + d.cause.Error()
}

func (d *denial) after(seconds int) *denial {
	d.retry = seconds
	return d
}
