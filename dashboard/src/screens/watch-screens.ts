import { AnalyticsScreen } from "./analytics.tsx";
import { FindingScreen } from "./finding.tsx";
import { FindingsScreen } from "./findings.tsx";
import { InfraScreen } from "./infra.tsx";
import { InfraServiceScreen } from "./infra-service.tsx";

/* Screens that share most of what they are made of come as one file: apart, each would repeat and compress it alone. */

export const watchScreens = {
  analytics: AnalyticsScreen,
  finding: FindingScreen,
  findings: FindingsScreen,
  infra: InfraScreen,
  infraService: InfraServiceScreen,
};
