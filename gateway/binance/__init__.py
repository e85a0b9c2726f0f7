"""The API that clients written for Binance's spot market speak: paths, fields, numbers, errors and streams as they know them."""
