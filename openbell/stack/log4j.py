"""How the servers log: each into one file of the home's log folder, of a bounded size."""

LOG_FILE = "OPENBELL_LOG"
"""The environment variable that names a server's log file."""

LOG4J = """\
status = error
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file

appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${env:OPENBELL_LOG}
appender.file.filePattern = ${env:OPENBELL_LOG}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-40c{1} %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 16MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3

logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.client.name = org.apache.kafka.clients
logger.client.level = WARN
logger.metrics.name = org.apache.kafka.common.utils.AppInfoParser
logger.metrics.level = ERROR
logger.types.name = org.apache.flink.api.java.typeutils
logger.types.level = WARN
"""
