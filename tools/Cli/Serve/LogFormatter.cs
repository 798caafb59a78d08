using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace ManagedTransformers.Cli;

/// <summary>Logs as .NET's simple console writes them, an entry per line, but without what a terminal would obey: texts of requests and names of files are in
/// them.</summary>
internal sealed class LogFormatter(IConfiguration configuration) : ConsoleFormatter(FormatName)
{
    public const string FormatName = "mtx";

    private readonly bool _utc = Flag(configuration, nameof(ConsoleFormatterOptions.UseUtcTimestamp));
    private readonly bool _scopes = Flag(configuration, nameof(ConsoleFormatterOptions.IncludeScopes));

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        DateTimeOffset now = _utc ? DateTimeOffset.UtcNow : DateTimeOffset.Now;
        var line = new StringWriter(CultureInfo.InvariantCulture);
        line.Write($"{now:HH:mm:ss} {WordOf(logEntry.LogLevel)}: {logEntry.Category}[{logEntry.EventId.Id}]");
        if (_scopes)
            scopeProvider?.ForEachScope((scope, to) => to.Write($" => {scope}"), line);
        line.Write($" {logEntry.Formatter(logEntry.State, logEntry.Exception)}");
        if (logEntry.Exception is Exception exception)
            line.Write($" {exception}");
        textWriter.Write(Show.Visible(line.ToString().ReplaceLineEndings(" ")) + Environment.NewLine);
    }

    private static bool Flag(IConfiguration configuration, string name) =>
        bool.TryParse(configuration[$"Logging:Console:FormatterOptions:{name}"], out bool value) && value;

    private static string WordOf(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce",
        LogLevel.Debug => "dbug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "fail",
        _ => "crit",
    };
}
