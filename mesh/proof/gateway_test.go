package proof

import "testing"

func proveGateway(t *testing.T, m *mesh, title string) {
	t.Helper()
	visits, err := m.visits()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, v := range visits {
		if !v.ok() {
			t.Error(v)
		}
		rows = append(rows, []string{v.service, v.operation, v.token, v.outcome.String()})
	}
	printTable(title, []string{"service", "operation", "token", "answer"}, rows)
	if err := m.sentToHTTPS(); err != nil {
		t.Error(err)
	}
}
