"""What people and programs outside see of the exchange, and how they reach it.

The projector folds Kafka's topics into views in Redis. The server reads the views and writes commands to Kafka, and never the other
way round: it shows pages, pushes their changes over websockets and answers REST.
"""
