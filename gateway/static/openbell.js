// What scripts add to a page that is whole without them: live changes, the chart, and help with the order form.
import { drawChart } from "./chart.js";
import { followConnection } from "./connection.js";
import { helpWithOrders } from "./ticket.js";

followConnection();
helpWithOrders();
const place = document.getElementById("chart");
if (place) drawChart(place, document.getElementById("candles"), document.getElementById("view"));
