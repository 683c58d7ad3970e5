package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/test/soak"
)

const (
	fileHead = "sku,name,description,price,currency\n"
	slot     = 1024 // bytes of each row, so that a place in the file tells which row it is in
	longRow  = 100  // slots of a row that is too long
	period   = 7000 // slots from one such row to the next
)

// table is a file of CSV that is made as it is read: rows that are good, some over two lines, and rows that are wrong in several ways.
type table struct {
	slots int64
	at    int64 // where the next byte is read
	row   []byte
}

func newTable(size int64) *table { return &table{slots: size / slot} }

func (f *table) size() int64 { return int64(len(fileHead)) + f.slots*slot }

// from is the rest of the file.
func (f *table) from(offset int64) *table { return &table{slots: f.slots, at: offset} }

// Read implements io.Reader.
func (f *table) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if f.at == f.size() {
			return n, io.EOF
		}
		if f.at < int64(len(fileHead)) {
			m := copy(p[n:], fileHead[f.at:])
			n, f.at = n+m, f.at+int64(m)
			continue
		}
		place := f.at - int64(len(fileHead))
		f.row = f.appendRow(f.row[:0], place/slot)
		m := copy(p[n:], f.row[place%slot:])
		n, f.at = n+m, f.at+int64(m)
	}
	return n, nil
}

// wrong is what is wrong with the row of a slot, and how many lines it has.
func (f *table) wrong(i int64) (fault string, lines int64) {
	switch {
	case i%period == 3000 && i+longRow < f.slots:
		return " has more than 65536 bytes; is a quotation mark missing?", 1
	case i%97 == 13:
		return "price is no amount such as 12.50", 1
	case i%101 == 7:
		return "name is not UTF-8", 1
	case i%1009 == 5:
		return "description holds the character NUL", 1
	case i%1013 == 5:
		return " has 4 fields, not 5", 1
	case i%1019 == 5:
		return " has a quotation mark that neither encloses a field nor is doubled", 1
	case i%10 == 3:
		return "", 2
	}
	return "", 1
}

// within reports whether a slot is in the middle of a row that is too long, which has begun before it.
func (f *table) within(i int64) bool {
	begin := i - i%period + 3000
	return i > begin && i < begin+longRow && begin+longRow < f.slots
}

func (f *table) appendRow(row []byte, i int64) []byte {
	end := int64(slot)
	if long := i - i%period + 3000; (f.within(i) || i == long && i+longRow < f.slots) && i != long+longRow-1 {
		return append(row, bytes.Repeat([]byte("x"), slot)...) // no end of a line
	} else if f.within(i) {
		return append(append(row, bytes.Repeat([]byte("x"), slot-1)...), '\n')
	}
	name, price, mark, tail := "Tea", "12.50", "", ",EUR\n"
	fault, lines := f.wrong(i)
	switch {
	case strings.HasPrefix(fault, "price"):
		price = "cheap"
	case strings.HasPrefix(fault, "name"):
		name = "T\xffa"
	case strings.HasPrefix(fault, "description"):
		mark = "\x00"
	case strings.HasPrefix(fault, " has 4"):
		tail = "\n"
	case strings.HasPrefix(fault, " has a"):
		name = `T"a`
	case lines == 2:
		mark = "fresh,\nand \"\"good\"\" "
	}
	row = fmt.Appendf(row, `s%09d,%s,"%s`, i, name, mark)
	tail = `",` + price + tail
	for int64(len(row)+len(tail)) < end {
		row = append(row, 'd')
	}
	return append(row, tail...)
}

// expected is what an import of the file comes to.
func (f *table) expected() (imported, failed, lines int64, faults []string) {
	lines = 1
	for i := range f.slots {
		if f.within(i) {
			continue
		}
		fault, n := f.wrong(i)
		if fault == "" {
			imported++
		} else {
			failed++
			faults = append(faults, fmt.Sprintf("%d %s", lines+1, fault))
		}
		lines += n
	}
	return imported, failed, lines, faults[:min(len(faults), 10_000)]
}

// progress is what is looked at in an import.
type progress struct {
	ID, Status                      string
	Offset, Lines, Imported, Failed int64
}

// startCatalog runs the catalog, and who issues its tokens, with little memory for what it allocates.
func startCatalog(t *testing.T, o local.Options) *shop {
	t.Helper()
	o.Services = []string{"catalog", "users"}
	o.ServiceEnv = map[string]map[string]string{"catalog": {"GOMEMLIMIT": "24MiB", "APP_TELEMETRY_RATIO": "0"}}
	return start(t, o)
}

func beginImport(t *testing.T, p *shop) string {
	t.Helper()
	authorization, err := p.authorization()
	if err != nil {
		t.Fatal(err)
	}
	key := uuid.NewString()
	var ids [2]string
	for i := range ids { // the second time it is the same import
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Service("catalog").URL+"/v1/imports", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		r.Header.Set("Idempotency-Key", key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var begun progress
		if status := decode(t, resp, &begun); status != http.StatusCreated {
			t.Fatalf("begin an import: status %d", status)
		}
		ids[i] = begun.ID
	}
	if ids[0] != ids[1] {
		t.Errorf("one key began the imports %s and %s", ids[0], ids[1])
	}
	return ids[0]
}

func importOf(t *testing.T, p *shop, id string) progress {
	t.Helper()
	var at progress
	if status := get(t, p, "catalog", "/v1/imports/"+id, &at); status != http.StatusOK {
		t.Fatalf("look at the import: status %d", status)
	}
	return at
}

// sendRest sends the rest of the file from where the import is, as a client does after whatever happened to it before.
func sendRest(ctx context.Context, p *shop, id string, file *table, offset int64) error {
	authorization, err := p.authorization()
	if err != nil {
		return err
	}
	rest := file.from(offset)
	r, err := http.NewRequestWithContext(ctx, http.MethodPatch, p.Service("catalog").URL+"/v1/imports/"+id, io.NopCloser(rest))
	if err != nil {
		return err
	}
	r.ContentLength = file.size() - offset
	r.Header.Set("Authorization", authorization)
	r.Header.Set("Content-Type", "text/csv")
	r.Header.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	r.Header.Set("Upload-Complete", "?1")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	return err
}

// cameTo checks that every good row was imported once and every bad one is reported by its line, once.
func cameTo(t *testing.T, p *shop, id string, file *table) {
	t.Helper()
	imported, failed, lines, faults := file.expected()
	want := progress{ID: id, Status: "complete", Offset: file.size(), Lines: lines, Imported: imported, Failed: failed}
	if diff := cmp.Diff(want, importOf(t, p, id)); diff != "" {
		t.Error(diff)
	}
	var got []string
	for after := int64(0); ; {
		var page struct {
			Items []struct {
				Line           int64
				Column, Detail string
			}
			Next int64
		}
		get(t, p, "catalog", fmt.Sprintf("/v1/imports/%s/errors?limit=1000&after=%d", id, after), &page)
		for _, f := range page.Items {
			got = append(got, fmt.Sprintf("%d %s %s", f.Line, f.Column, f.Detail))
		}
		if after = page.Next; after == 0 {
			break
		}
	}
	if diff := cmp.Diff(faults, got); diff != "" {
		t.Errorf("faults: %.3000s", diff)
	}
}

// exportedProducts counts the products that an export has, each of which must be one of the file's good rows.
func exportedProducts(t *testing.T, p *shop, file *table) (n int64) {
	t.Helper()
	authorization, err := p.authorization()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := send(http.MethodGet, p.Service("catalog").URL+"/v1/products.csv", authorization, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	rows := csv.NewReader(resp.Body)
	if _, err := rows.Read(); err != nil {
		t.Fatal(err)
	}
	seen := make([]bool, file.slots)
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		i, err := strconv.ParseInt(strings.TrimPrefix(row[0], "s"), 10, 64)
		if err != nil || seen[i] {
			t.Fatalf("row %v, %v; seen %t", row[0], err, seen[i])
		}
		if fault, _ := file.wrong(i); fault != "" || file.within(i) {
			t.Errorf("a bad row was imported: %s", row[0])
		}
		seen[i] = true
		n++
	}
}

// memory gives a line of /proc/PID/status in bytes.
func memory(t *testing.T, pid int, name string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s of process %d", name, pid)
	return 0
}

// needsLittleMemory imports a file and exports it again, and looks at the most memory that the service's process had meanwhile.
func needsLittleMemory(t *testing.T, p *shop, size int64) {
	t.Helper()
	const bound = 64 << 20
	file, pid := newTable(size), p.PID("catalog")
	id := beginImport(t, p)
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o600); err != nil { // VmHWM begins anew
		t.Fatal(err)
	}
	before, begun := memory(t, pid, "VmRSS"), time.Now()
	if err := sendRest(t.Context(), p, id, file, 0); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	imported := memory(t, pid, "VmHWM")
	cameTo(t, p, id, file)
	n := exportedProducts(t, p, file)
	most := memory(t, pid, "VmHWM")
	if want, _, _, _ := file.expected(); n != want {
		t.Errorf("%d products were exported, want %d", n, want)
	}
	t.Logf("%d MiB, %d rows in %v: %.0f rows/s, %.1f MiB/s; memory %.1f MiB before, at most %.1f MiB during the import, %.1f MiB with the export",
		size>>20, file.slots, took.Round(time.Millisecond), float64(file.slots)/took.Seconds(), float64(size>>20)/took.Seconds(),
		mib(before), mib(imported), mib(most))
	if most > bound {
		t.Errorf("the service took %.1f MiB for a file of %d MiB; it may take %d", mib(most), size>>20, bound>>20)
	}
	if grown := most - before; grown > max(size/2, bound/2) {
		t.Errorf("the service grew by %.1f MiB for a file of %d MiB", mib(grown), size>>20)
	}
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// resumesAfterKills kills the service in the middle of an import, again and again, and sends each time what is missing.
func resumesAfterKills(t *testing.T, p *shop, size int64, kills int) {
	t.Helper()
	file, id := newTable(size), beginImport(t, p)
	killed := 0
	for at := (progress{}); at.Status != "complete"; at = importOf(t, p, id) {
		sent := make(chan error, 1)
		go func() { sent <- sendRest(context.WithoutCancel(t.Context()), p, id, file, at.Offset) }()
		if killed == kills {
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			continue
		}
		more := at.Offset + (file.size()-at.Offset)/int64(kills-killed+1)
		eventually(t, 3*time.Minute, "the import goes on", func() bool { return importOf(t, p, id).Offset >= more })
		if err := p.Kill("catalog", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err == nil {
			t.Error("the import was complete before the service was killed; the file is too small")
		}
		killed++
		if err := p.Restart(t.Context(), "catalog"); err != nil {
			t.Fatal(err)
		}
	}
	cameTo(t, p, id, file)
	want, _, _, _ := file.expected()
	if n := exportedProducts(t, p, file); n != want {
		t.Errorf("%d products were exported, want %d", n, want)
	}
	t.Logf("%d rows, killed %d times", file.slots, killed)
}

func TestImportNeedsLittleMemory(t *testing.T) {
	needsLittleMemory(t, startCatalog(t, local.Options{}), 16<<20)
}

func TestImportIsResumedAfterKills(t *testing.T) {
	resumesAfterKills(t, startCatalog(t, local.Options{}), 16<<20, min(soak.Rounds(t, 3), 10))
}
