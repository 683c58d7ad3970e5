package otlp

import (
	"encoding/hex"
	"slices"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
)

// Record is one line of a service's log.
type Record struct {
	Time       time.Time      `json:"time"`
	Service    string         `json:"service"`
	Level      string         `json:"level"`
	Message    string         `json:"message"`
	Trace      string         `json:"trace,omitempty"`
	Span       string         `json:"span,omitempty"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// records keeps the last log records. Safe for concurrent use.
type records struct {
	mu   sync.Mutex
	most int
	kept []Record
}

func (rs *records) add(more []Record) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.kept = append(rs.kept, more...)
	if over := len(rs.kept) - rs.most; over > 0 {
		rs.kept = slices.Delete(rs.kept, 0, over)
	}
}

func (rs *records) list(trace, service string) []Record {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	out := []Record{}
	for _, r := range rs.kept {
		if (trace == "" || r.Trace == trace) && (service == "" || r.Service == service) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Record) int { return a.Time.Compare(b.Time) })
	return out
}

func recordsOf(req *collector.ExportLogsServiceRequest) []Record {
	var out []Record
	for _, rl := range req.GetResourceLogs() {
		service, _ := attributes(rl.GetResource().GetAttributes())["service.name"].(string)
		for _, sl := range rl.GetScopeLogs() {
			for _, r := range sl.GetLogRecords() {
				message, _ := value(r.GetBody()).(string)
				out = append(out, Record{
					Time: moment(r.GetTimeUnixNano()), Service: service, Level: r.GetSeverityText(), Message: message,
					Trace: hex.EncodeToString(r.GetTraceId()), Span: hex.EncodeToString(r.GetSpanId()), Attributes: attributes(r.GetAttributes()),
				})
			}
		}
	}
	return out
}
