package probe

// Limits on what one guest process may say. The host refuses a stream that
// goes past them; the guest truncates its own lists well before.
const (
	MaxLine     = 1 << 20  // bytes of one line
	MaxStream   = 16 << 20 // bytes of one process's whole output
	MaxAttempts = 4096     // attempts in one observation
	MaxText     = 4096     // bytes of any one string
)

// Role is who makes the attempts.
type Role string

// The two roles of a guest process.
const (
	User    Role = "user"    // the policy's user: the container's first process
	Auditor Role = "auditor" // uid 0 without capabilities, started by exec
)

// Plan is what the host tells a guest process to do, as one line of JSON on its
// standard input; several may follow one another. Standard input rather than the command line or the
// environment, because the nonce must not be readable by the image's own
// programs, and because nothing of the container's posture may change.
type Plan struct {
	Nonce  string   `json:"nonce"`
	Role   Role     `json:"role"`
	Probes []string `json:"probes"` // in this order
	Params Params   `json:"params"`
	// Exit ends the process with this code once the probes are done. A guest
	// whose standard input ends without it leaves by itself with ExitAbandoned,
	// so that no container outlives a host side that was killed.
	Exit *int `json:"exit,omitempty"`
}

// What the sweep says of a call besides an errno: Killed is what one came to that
// ended whoever made it, as filters can ask for, and Reached is what one came to
// that succeeded.
const (
	Killed  = "killed"
	Reached = "success"
)

// Exit codes of a guest process that was not told one.
const (
	ExitAbandoned = 97 // standard input ended
	ExitProtocol  = 98 // the plan could not be read
)

// Params is what the probes need to know. It carries settings, never
// expectations: a guest that knew what to expect could report it.
type Params struct {
	Tmpfs     []string `json:"tmpfs,omitempty"`     // mount points to work in; the first is the scratch place
	Workspace string   `json:"workspace,omitempty"` // "" when there is none
	// Host is mount points behind which the host's own files are: nothing there
	// gets a name, for however short a time.
	Host []string `json:"host,omitempty"`
	// Commands are the policy's environment commands and their time limit.
	Commands       [][]string `json:"commands,omitempty"`
	PythonPackages []string   `json:"python_packages,omitempty"`
	CommandTimeout int64      `json:"command_timeout_ms,omitempty"`
	OneByOne       bool       `json:"one_by_one,omitempty"` // the image's programs
	// HashKey keys the hashes by which credentials are shown, one for all the
	// processes of a run and the host side: equal values look equal.
	HashKey []byte `json:"hash_key,omitempty"`
	// Canary is what the verifier planted on the host; nil for nothing.
	Canary *Canary `json:"canary,omitempty"`
	// Listeners are address:port of the engine's host on which the verifier
	// listens. They may be connected to and nothing else outside may be.
	Listeners []string `json:"listeners,omitempty"`
	// Sizes for the exhaustion twin, already scaled.
	Memory    int64 `json:"memory,omitempty"`     // bytes to touch past
	PIDs      int64 `json:"pids,omitempty"`       // processes to reach past
	MilliCPU  int64 `json:"milli_cpu,omitempty"`  // thousandths of a CPU to burn past
	Threads   int   `json:"threads,omitempty"`    // burning threads
	TmpfsFill int64 `json:"tmpfs_fill,omitempty"` // bytes to write towards
	NoFile    int64 `json:"nofile,omitempty"`     // descriptors to reach past
}

// Canary is what the verifier planted, and is worth nothing.
type Canary struct {
	Variable string   `json:"variable"`        // value of a variable of its environment
	File     string   `json:"file,omitempty"`  // content of a file below its home; "" where that is on another host
	Paths    []string `json:"paths,omitempty"` // where that file is on the host; several if links lead there
}

// Line is one line of a guest's output. Exactly one of Observation and Done is
// set, except in the first line of all, the greeting, where both are absent.
type Line struct {
	Nonce       string       `json:"nonce"`
	Seq         int          `json:"seq"` // 0, 1, 2…: a lost line shows
	Observation *Observation `json:"observation,omitempty"`
	Done        bool         `json:"done,omitempty"`
}

// Observation is what one probe saw.
type Observation struct {
	Probe    string            `json:"probe"`
	Attempts []Attempt         `json:"attempts,omitempty"`
	Facts    map[string]string `json:"facts,omitempty"`
	// Error says why the probe could not do its work at all. An observation with
	// an Error, or with no attempts and no facts, is never evidence of anything.
	Error    string `json:"error,omitempty"`
	Duration int64  `json:"duration_us"`
}

// Attempt is one thing that was tried and what came of it.
type Attempt struct {
	Act     string `json:"act"`               // what was tried: "create", "execve", "bind tcp4"…
	On      string `json:"on,omitempty"`      // the object: a path, a port, a capability
	Control bool   `json:"control,omitempty"` // made to show that such an attempt can succeed
	OK      bool   `json:"ok"`                // it succeeded
	Errno   string `json:"errno,omitempty"`   // its name (EROFS) when it did not; "error" when there is none
	Note    string `json:"note,omitempty"`    // what else was seen
	Mount   string `json:"mount,omitempty"`   // the mount point that a path lies on
	// Bits is what the permission bits alone would have answered: "allow",
	// "deny", or "" where that does not apply. A refusal that the bits explain
	// says nothing about a read-only mount.
	Bits string `json:"bits,omitempty"`
}
