package export

import (
	"cmp"
	"io"
	"strconv"

	"github.com/tightship-dev/tightship/ledger"
)

// OCSFVersion is the version of the schema that OCSF writes.
const OCSFVersion = "1.8.0"

// OCSF writes each record as an API Activity, class 6003 of the Open Cybersecurity
// Schema Framework.
func OCSF(w io.Writer, records Records, version string) error {
	return lines(w, records, 1, func(chunk []ledger.Record) any { return ocsfEvent(chunk[0], version) })
}

type object = map[string]any

const (
	classAPIActivity    = 6003
	categoryApplication = 6
)

// activities of the class, by method.
var activities = map[string]int{
	"POST": 1, "GET": 2, "HEAD": 2, "OPTIONS": 2, "PUT": 3, "PATCH": 3, "DELETE": 4,
}

// methods are those that the schema lists.
var methods = map[string]bool{
	"CONNECT": true, "DELETE": true, "GET": true, "HEAD": true, "OPTIONS": true,
	"PATCH": true, "POST": true, "PUT": true, "TRACE": true,
}

func ocsfEvent(r ledger.Record, version string) object {
	activity := cmp.Or(activities[r.Method], 99)
	sandbox := cmp.Or(r.Sandbox, "tightship")
	source := object{"name": sandbox}
	if r.Container != "" {
		source["container"] = object{"uid": r.Container}
	}
	api := object{"operation": cmp.Or(r.Event, r.Method, r.Kind), "request": object{"uid": strconv.FormatUint(cmp.Or(r.Of, r.Seq), 10)}}
	if r.Route != "" {
		api["service"] = object{"name": r.Route}
	}
	e := object{
		"activity_id": activity, "category_uid": categoryApplication, "class_uid": classAPIActivity,
		"type_uid": classAPIActivity*100 + activity, "severity_id": 1, "time": r.Time.UnixMilli(),
		"message": summary(r),
		"metadata": object{
			"version": OCSFVersion, "log_name": "tightship.ledger", "sequence": r.Seq, "uid": r.Run + "-" + strconv.FormatUint(r.Seq, 10),
			"product": object{"name": "Tightship", "vendor_name": "Tightship", "version": version},
		},
		"actor": object{"app_name": sandbox}, "api": api, "src_endpoint": source,
		"status_id": 0,
	}
	if activity == 99 {
		e["activity_name"] = cmp.Or(r.Event, r.Method, r.Kind)
	}
	if r.Path != "" {
		request := object{"url": object{"path": r.Path}, "length": r.BytesIn}
		if methods[r.Method] { // the schema knows no others
			request["http_method"] = r.Method
		}
		e["http_request"] = request
	}
	if r.Status != 0 {
		e["http_response"] = object{"code": r.Status, "length": r.BytesOut}
		e["status_code"] = strconv.Itoa(r.Status)
		e["status_id"] = 1
		if r.Status >= 400 {
			e["status_id"] = 2
		}
	}
	if r.Kind == ledger.Denied {
		e["status_id"], e["severity_id"] = 2, 3
	}
	if r.Reason != "" {
		e["status_detail"] = r.Reason
	}
	if r.Latency > 0 {
		e["duration"] = r.Latency.Milliseconds()
	}
	own := object{"kind": r.Kind, "prev": r.Prev.String()}
	for key, s := range map[string]string{"credential": r.Credential, "decision": r.Decision, "rule": r.Rule} {
		if s != "" {
			own[key] = s
		}
	}
	if len(r.Refs) > 0 {
		own["refs"] = r.Refs
	}
	if r.Redactions > 0 {
		own["redactions"] = r.Redactions
	}
	e["unmapped"] = own
	return e
}
