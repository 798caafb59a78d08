using System.Collections;
using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Testing;

/// <summary>Reads objects as a debugger does: through DebuggerDisplay, DebuggerTypeProxy and DebuggerBrowsable, by reflection.</summary>
internal static partial class DebuggerReader
{
    private const BindingFlags Anything = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>What a debugger shows next to a variable.</summary>
    public static string Display(object? value)
    {
        if (value is null)
            return "null";
        if (value is string text)
            return $"\"{text}\"";
        return Find<DebuggerDisplayAttribute>(value.GetType()) is { } display
            ? Piece().Replace(display.Value!, match => Evaluate(value, match.Groups["path"].Value, quoted: !match.Groups["nq"].Success))
            : Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!;
    }

    /// <summary>What a debugger opens in place of an object: an instance of its type proxy, or the object.</summary>
    public static object View(object value)
    {
        if (Find<DebuggerTypeProxyAttribute>(value.GetType()) is not { } proxy)
            return value;
        Type type = Type.GetType(proxy.ProxyTypeName, throwOnError: true)!;
        ConstructorInfo constructor = type.GetConstructors(Anything)
            .Single(one => one.GetParameters() is [{ } only] && only.ParameterType.IsInstanceOfType(value));
        return constructor.Invoke([value]);
    }

    /// <summary>The displays of what an object opens to: its public properties, or in place of one that is RootHidden what that one holds.</summary>
    public static string[] Open(object value) =>
        [.. Children(View(value)).Select(child => child.Name.Length == 0 ? Display(child.Value) : $"{child.Name} {Display(child.Value)}")];

    /// <summary>The elements that an object opens to, without the properties that have a name.</summary>
    public static object[] Items(object value) => [.. Children(View(value)).Where(child => child.Name.Length == 0).Select(child => child.Value!)];

    /// <summary>A property of what an object opens to.</summary>
    public static object? Property(object value, string name) => Children(View(value)).Single(child => child.Name == name).Value;

    private static IEnumerable<(string Name, object? Value)> Children(object view)
    {
        if (view is IEnumerable elements and not string)
        {
            foreach (object? element in elements)
                yield return ("", element);
            yield break;
        }
        foreach (PropertyInfo property in view.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public))
        {
            DebuggerBrowsableState? state = property.GetCustomAttribute<DebuggerBrowsableAttribute>()?.State;
            if (state == DebuggerBrowsableState.Never || property.GetIndexParameters().Length > 0 || property.PropertyType.IsByRefLike)
                continue;
            object? value = property.GetValue(view);
            if (state != DebuggerBrowsableState.RootHidden)
                yield return (property.Name, value);
            else
                foreach (object? element in (IEnumerable)value!)
                    yield return ("", element);
        }
    }

    private static string Evaluate(object value, string path, bool quoted)
    {
        object? at = value;
        foreach (string member in path.Split('.'))
            at = Member(at!, member);
        return quoted ? Display(at) : at as string ?? Display(at);
    }

    private static object? Member(object value, string member)
    {
        for (Type? type = value.GetType(); type is not null; type = type.BaseType)
        {
            if (member.EndsWith("()", StringComparison.Ordinal) && type.GetMethod(member[..^2], Anything | BindingFlags.DeclaredOnly, []) is { } method)
                return method.Invoke(value, null);
            if (type.GetProperty(member, Anything | BindingFlags.DeclaredOnly) is { } property)
                return property.GetValue(value);
            if (type.GetField(member, Anything | BindingFlags.DeclaredOnly) is { } field)
                return field.GetValue(value);
        }
        throw new MissingMemberException(value.GetType().Name, member);
    }

    // Debuggers take the attributes of a base class where a class has none of its own.
    private static T? Find<T>(Type type) where T : Attribute =>
        type.GetCustomAttribute<T>(inherit: false) ?? (type.BaseType is Type parent ? Find<T>(parent) : null);

    [GeneratedRegex(@"\{(?<path>[\w.()]+)(?<nq>,nq)?\}", RegexOptions.None, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Piece();
}
