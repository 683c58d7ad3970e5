package telemetry

import (
	"strconv"
	"sync/atomic"
	"time"
)

// second is a second that has been written out: under load thousands of lines share one.
type second struct {
	unix   int64
	zone   *time.Location
	before []byte // up to the seconds
	after  []byte // the zone
}

var lastSecond atomic.Pointer[second]

// appendTime writes a time in RFC 3339 with microseconds, the resolution that log stores keep.
func appendTime(buf []byte, t time.Time) []byte {
	s := lastSecond.Load()
	if s == nil || s.unix != t.Unix() || s.zone != t.Location() {
		s = &second{unix: t.Unix(), zone: t.Location(), before: t.AppendFormat(nil, "2006-01-02T15:04:05."), after: t.AppendFormat(nil, "Z07:00")}
		lastSecond.Store(s)
	}
	buf = append(buf, s.before...)
	micros := t.Nanosecond() / int(time.Microsecond)
	for unit := 100_000; unit > 1 && micros < unit; unit /= 10 {
		buf = append(buf, '0')
	}
	buf = strconv.AppendInt(buf, int64(micros), 10)
	return append(buf, s.after...)
}
