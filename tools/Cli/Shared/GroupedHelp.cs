using System.CommandLine;
using System.CommandLine.Invocation;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>--help: the usual help, and below it options that belong together, group by group. Thirty options in one list are not read.</summary>
/// <param name="usual">What writes the usual help.</param>
/// <param name="console">Where to write.</param>
internal sealed class GroupedHelp(SynchronousCommandLineAction usual, CliConsole console) : SynchronousCommandLineAction
{
    public override int Invoke(ParseResult parseResult)
    {
        (string Title, Option[] Options)[] groups = [.. (parseResult.CommandResult.Command as MtxCommand)?.OptionGroups ?? []];
        // The usual help leaves hidden options out; the process ends after this.
        foreach (Option option in groups.SelectMany(group => group.Options))
            option.Hidden = true;
        int code = usual.Invoke(parseResult);
        if (groups.Length == 0)
            return code;
        int width = groups.SelectMany(group => group.Options).Max(option => NameOf(option).Length);
        foreach ((string title, Option[] options) in groups)
        {
            console.Out.WriteLine($"{title}:");
            Table table = Show.Table(console, "option", "description").HideHeaders().Border(TableBorder.None);
            table.Columns[0].NoWrap();
            foreach (Option option in options)
                table.AddRow(new Text(NameOf(option).PadRight(width)), new Text(option.Description!));
            Show.Write(console, table);
            console.Out.WriteLine();
        }
        return code;
    }

    private static string NameOf(Option option) => $"  {string.Join(", ", option.Aliases.Order(StringComparer.Ordinal).Prepend(option.Name))}"
        + (option.Arity.MaximumNumberOfValues > 0 ? $" <{option.HelpName}>" : "");
}
