package policy

import (
	"strings"

	"github.com/invopop/jsonschema"
)

// property is what the schema says of a key beyond its Go type.
type property struct {
	description string
	limit       func(*jsonschema.Schema) // may be nil
}

// properties is by the Go type and the key. A test holds it complete.
var properties = map[string]property{
	"Policy.version":           {"Version of the format.", constant(Version)},
	"Policy.image":             {"The image that the agent runs in.", pattern(imagePattern)},
	"Policy.user":              {"Who the agent runs as.", nil},
	"Policy.rootfs":            {"Whether the container's root can be written to.", enum(ReadOnly, Writable)},
	"Policy.tmpfs":             {"Memory-backed mounts, by mount point. Replaces the default as a whole; a key that is missing in an entry is 2g, no exec, no suid, no dev.", names("^/")},
	"Policy.workspace":         {"The directory that the agent works in.", nil},
	"Policy.limits":            {"What the container may use at most.", nil},
	"Policy.capabilities":      {"Capabilities added back after all are dropped. Replaces the default as a whole.", items(capabilityPattern)},
	"Policy.no_new_privileges": {"Whether setuid programs and file capabilities are without effect.", nil},
	"Policy.seccomp":           {"default (the pinned profile of moby/profiles, the same on every engine), unconfined, or the path of a profile, relative to the policy file.", pattern(`^(default|unconfined|.*[./].*)$`)},
	"Policy.network":           {"How much of a network the container has.", enum(NetworkNone, NetworkBridge)},
	"Policy.sysctls":           {"Sysctls of the container's own namespaces. Replaces the default as a whole.", names(sysctlPattern)},
	"Policy.environment":       {"What must still work inside: secure and usable.", nil},
	"Policy.credentials":       {"What the agent may use through the broker and never holds.", nil},
	"Policy.runtime":           {"The OCI runtime by the name the engine knows, \"\" for its default.", pattern(runtimePattern)},
	"Policy.accept":            {"Checks that may fail, in the open.", nil},

	"User.name":   {"The user's name as in the image's passwd, \"\" to ask for none.", pattern(userPattern)},
	"User.uid":    {"User ID.", between(0, maxID)},
	"User.gid":    {"Group ID.", between(0, maxID)},
	"User.groups": {"Supplementary group IDs beyond gid. Replaces the default as a whole.", unique},

	"Tmpfs.size": {"Size of the mount. Default 2g.", nil},
	"Tmpfs.exec": {"Whether programs can be run from it. Default false.", nil},
	"Tmpfs.suid": {"Whether setuid bits count on it. Default false.", nil},
	"Tmpfs.dev":  {"Whether device nodes work on it. Default false.", nil},

	"Workspace.source": {"Directory on the host, relative to the policy file.", nil},
	"Workspace.target": {"Mount point in the container.", pattern("^/")},
	"Workspace.mode":   {"How it is mounted.", enum(WorkspaceRW, WorkspaceRO, WorkspaceNone)},

	"Limits.memory": {"Memory.", nil},
	"Limits.swap":   {"Swap on top of memory; 0 is none.", zeroAllowed},
	"Limits.cpus":   {"CPUs, as 2 or 0.5.", nil},
	"Limits.pids":   {"Processes and threads.", nil},
	"Limits.nofile": {"Open files per process.", nil},
	"Limits.core":   {"Size of a core dump; 0 is none.", zeroAllowed},

	"Environment.commands":        {"Programs that must run. Replaces the default as a whole.", nil},
	"Environment.python_packages": {"Python packages that must import. Replaces the default as a whole.", items(importPattern)},
	"Environment.git":             {"How git must be configured.", nil},

	"Command.run":    {"The program and its arguments.", atLeastOne},
	"Command.expect": {"Regular expression (RE2) on what it prints; \"\" asks for nothing.", nil},

	"Git.user.name":      {"Regular expression on git's user.name; \"\" asks for nothing.", nil},
	"Git.user.email":     {"Regular expression on git's user.email; \"\" asks for nothing.", nil},
	"Git.noninteractive": {"Whether git must never prompt.", nil},

	"Credential.name":   {"Its name in the ledger and to the broker's commands.", pattern(namePattern)},
	"Credential.from":   {"Where its value is: env, env:VARIABLE, file:PATH, exec:COMMAND, age:FILE, keyring:NAME or oauth:FILE. Never the value.", pattern("^(env$|(" + strings.Join(Sources, "|") + "):)")},
	"Credential.route":  {"Which requests it is for, and where they go.", nil},
	"Credential.attach": {"How it is put on a request.", nil},
	"Credential.allow":  {"Requests that may be made. What matches none is denied.", nil},
	"Credential.git":    {"Stands in place of allow for git over HTTPS.", nil},
	"Credential.limits": {"How much a sandbox may use it.", nil},
	"Credential.sets":   {"Environment for the agent; {port} is the port of the forwarder in the container.", names(variablePattern)},

	"Route.listen":    {"Path prefix at the broker.", pattern("^/")},
	"Route.upstream":  {"Server as https://HOST[:PORT][/BASE].", pattern("^https://[^/@?#]+(/[^@?#]*)?$")},
	"Route.ca":        {"PEM file of certificate authorities, relative to the policy file. Default: the system's.", nil},
	"Route.networks":  {"Networks (CIDR) outside of the public internet that the server may be in. Default none.", items("/[0-9]+$")},
	"Route.websocket": {"Whether a request may become a WebSocket. Default false.", nil},

	"Allow.methods": {"Methods, in upper case. GET does not imply HEAD.", each(methodPattern)},
	"Allow.paths":   {"Paths below the route: * is any characters of a segment, ** any number of segments.", each("^/[^?#]*$")},

	"GitAccess.repositories": {"Repositories as acme/widget or acme/*, without .git.", each(repositoryPattern)},
	"GitAccess.fetch":        {"Whether they may be cloned and fetched. Default true.", nil},
	"GitAccess.push":         {"Refs that may be pushed to, as refs/heads/agent/*. Default none.", items("^refs/")},
	"GitAccess.force":        {"Whether updates that are no fast-forward may be pushed, and tags moved. Default false.", nil},
	"GitAccess.tags":         {"Whether refs below refs/tags/ may be pushed, where push names them. Default false.", nil},
	"GitAccess.delete":       {"Whether refs that push names may be deleted. Default false.", nil},

	"Bounds.rate":        {"Requests in a unit of time, as 10/s, 100/min or 1000/h. Default unlimited.", nil},
	"Bounds.concurrency": {"Requests under way at once. Default 8.", nil},
	"Bounds.body":        {"Size of a request's body. Default 32m, with git unlimited.", nil},
	"Bounds.budget":      {"What a sandbox may use in its whole life.", nil},

	"Budget.requests": {"Requests. Default unlimited.", nil},

	"Accept.check":  {"ID of the check.", pattern(checkPattern)},
	"Accept.reason": {"Why its failure is acceptable.", pattern(`\S`)},
	"Accept.until":  {"The last day on which it is, in UTC.", nil},
}

// required is the keys without which an item is refused.
var required = map[string][]string{
	"Command":    {"run"},
	"Accept":     {"check", "reason", "until"},
	"Credential": {"name", "from", "route", "attach"},
	"Route":      {"listen", "upstream"},
	"Allow":      {"methods", "paths"},
	"GitAccess":  {"repositories"},
}
