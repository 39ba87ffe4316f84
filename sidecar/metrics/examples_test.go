package metrics

import (
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// series are the names of all that can be asked for.
func series(t *testing.T) map[string]bool {
	t.Helper()
	m := newMetrics(t)
	m.Watch(running)
	m.Ended(running().Report)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"sync_sidecar_exit_code": true}
	for _, family := range families {
		names[family.GetName()] = true
		if family.GetType().String() == "SUMMARY" {
			names[family.GetName()+"_sum"], names[family.GetName()+"_count"] = true, true
		}
	}
	return names
}

// checkQuery parses a query with Prometheus' own parser, and says which metrics it asks for that nobody has.
func checkQuery(t *testing.T, known map[string]bool, where, query string) {
	t.Helper()
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %s: %v", where, query, err)
		return
	}
	asked := 0
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if selector, is := node.(*parser.VectorSelector); is {
			asked++
			if !known[selector.Name] {
				t.Errorf("%s asks for %s, which there is not", where, selector.Name)
			}
		}
		return nil
	})
	if asked == 0 {
		t.Errorf("%s asks for nothing: %s", where, query)
	}
}

// TestAlertRules holds the example against Prometheus' own checker of rule files, and against the metrics.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../compose/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	known, rules := series(t), 0
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			rules++
			checkQuery(t, known, rule.Alert, rule.Expr)
			if rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("%s has no summary or no severity", rule.Alert)
			}
		}
	}
	if rules < 5 {
		t.Errorf("%d rules", rules)
	}
}

// TestDashboard holds the example against the metrics: Grafana's variables stand for values that Prometheus knows.
func TestDashboard(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../compose/monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title, UID    string
		SchemaVersion int
		Panels        []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct{ List []struct{ Name, Type string } }
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	known, ids := series(t), map[int]bool{}
	variables := map[string]string{"$__rate_interval": "5m", "$sync": ".*"}
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] || panel.Title == "" || panel.GridPos.X+panel.GridPos.W > 24 || len(panel.Targets) == 0 {
			t.Errorf("panel %d %q: %+v", panel.ID, panel.Title, panel.GridPos)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			query := target.Expr
			for name, value := range variables {
				query = strings.ReplaceAll(query, name, value)
			}
			if left := regexp.MustCompile(`\$\w+`).FindString(query); left != "" {
				t.Errorf("%s uses %s, which is no variable", panel.Title, left)
			}
			checkQuery(t, known, panel.Title, query)
		}
	}
	if dashboard.Title == "" || dashboard.UID == "" || len(dashboard.Panels) < 5 || len(dashboard.Templating.List) != 2 {
		t.Errorf("%+v", dashboard)
	}
}
