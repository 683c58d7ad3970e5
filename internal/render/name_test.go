package render

import (
	"strings"
	"testing"
)

func TestGoNamesAreThoseOfOapiCodegen(t *testing.T) {
	ids := []string{"getUserById", "create-order", "list_items", "getHTTPStatus", "getV2Users", "a", "UPPER", "readJson2xml", "sendSms", "apiKeyURL"}
	var doc strings.Builder
	doc.WriteString("openapi: 3.0.3\ninfo: {title: t, version: 1.0.0}\npaths:\n")
	for _, id := range ids {
		doc.WriteString("  /" + id + ": {get: {operationId: " + id + ", responses: {\"204\": {description: Done}}}}\n")
	}
	code, err := openAPI([]byte(doc.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if method := "\n" + goName(id) + "(ctx context.Context, request " + goName(id) + "RequestObject)"; !strings.Contains(code, method) {
			t.Errorf("the operation %s is not called %s", id, goName(id))
		}
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		what func(string) string
		name string
		want string
	}{
		{what: snake, name: "getUserByID", want: "get_user_by_id"},
		{what: snake, name: "order-line", want: "order_line"},
		{what: snake, name: "HTTPServer", want: "http_server"},
		{what: snake, name: "order.created.v1", want: "order_created_v1"},
		{what: lowerCamel, name: "order-line-id", want: "orderLineId"},
		{what: phrase, name: "order-line", want: "order line"},
		{what: plural, name: "greeting", want: "greetings"},
		{what: plural, name: "category", want: "categories"},
		{what: plural, name: "day", want: "days"},
		{what: plural, name: "address", want: "addresses"},
		{what: plural, name: "branch", want: "branches"},
		{what: plural, name: "aa1", want: "aa1-items"},
		{what: singular, name: "orders", want: "order"},
		{what: singular, name: "categories", want: "category"},
		{what: singular, name: "addresses", want: "address"},
		{what: singular, name: "branches", want: "branch"},
		{what: singular, name: "courses", want: "course"},
		{what: singular, name: "status", want: "status"},
		{what: singular, name: "billing", want: "billing"},
		{what: variable, name: "order-line", want: "orderLine"},
		{what: variable, name: "type", want: "item"},
		{what: variable, name: "error", want: "item"},
		{what: variable, name: "store", want: "item"},
		{what: article, name: "order", want: "an order"},
		{what: article, name: "user", want: "a user"},
	}
	for _, test := range tests {
		if got := test.what(test.name); got != test.want {
			t.Errorf("%s gives %s, want %s", test.name, got, test.want)
		}
	}
}

func TestNoFileIsHiddenByItsName(t *testing.T) {
	for name, want := range map[string]string{
		"openWindows": "open_windows_file", "windows": "windows", "getTest": "get_test_file", "handler": "handler_file",
		"con": "con_file", "com1": "com1_file", "listCon": "list_con", "buildArm64": "build_arm64_file", "listOrders": "list_orders",
	} {
		if got := goFile(name, "handler"); got != want {
			t.Errorf("%s gives %s, want %s", name, got, want)
		}
	}
}
