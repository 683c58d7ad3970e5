// What of Grafana's types grafana.schema.json is made from:
//   npm install @grafana/schema@12.2.0 typescript@5.9 ts-json-schema-generator@2
//   npx ts-json-schema-generator --path grafana.ts --no-type-check --type Grafana --expose none -o grafana.schema.json
// and then its descriptions are left out.
import * as raw from '@grafana/schema/dist/types/raw/dashboard/x/dashboard_types.gen';
import * as ts from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import * as table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import * as stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import * as logs from '@grafana/schema/dist/types/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen';
import * as nodegraph from '@grafana/schema/dist/types/raw/composable/nodegraph/panelcfg/x/NodeGraphPanelCfg_types.gen';
import * as timeline from '@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import * as loki from '@grafana/schema/dist/types/raw/composable/loki/dataquery/x/LokiDataQuery_types.gen';
export interface Grafana {
  dashboard: raw.Dashboard;
  panel: raw.Panel;
  row: raw.RowPanel;
  timeseries: ts.Options;
  timeseriesField: ts.FieldConfig;
  table: Partial<table.Options>;
  tableField: table.FieldConfig;
  stat: stat.Options;
  logs: logs.Options;
  nodeGraph: nodegraph.Options;
  stateTimeline: timeline.Options;
  stateTimelineField: timeline.FieldConfig;
  lokiQuery: loki.LokiDataQuery;
}
