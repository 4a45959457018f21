<?php
// What the two PHP tests share: the values of all types, and the run of the topics. See ci/drivers.sh.

define('MARMOT', getenv('DB_KIND') === 'marmot');
const SQLSTATES = [
    [1062, '23000', "INSERT INTO names VALUES (2, 'a')"],
    [1064, '42000', 'SELEKT 1'],
    [1146, '42S02', 'SELECT * FROM nothing'],
    [1406, '22001', "INSERT INTO names VALUES (2, 'abcdef')"],
    [1048, '23000', 'INSERT INTO names VALUES (2, NULL)'],
    [1054, '42S22', 'SELECT nothing FROM names'],
];

function same(mixed $wanted, mixed $got, string $what = ''): void
{
    if ($wanted !== $got) {
        throw new Exception("$what: got " . substr(var_export($got, true), 0, 300)
            . ', wanted ' . substr(var_export($wanted, true), 0, 300));
    }
}

/** Rows for the table of types.sql: the lowest, the highest, nothing; strings except for integers and floats. */
function all_values(): array
{
    $bytes = implode('', array_map('chr', range(0, 255)));
    $lowest = [
        'i8' => -128, 'u8' => 0, 'i16' => -32768, 'u16' => 0, 'i24' => -8388608, 'u24' => 0, 'i32' => -2147483648,
        'u32' => 0, 'i64' => PHP_INT_MIN, 'u64' => 0, 'f32' => -1.5, 'f64' => -1.7976931348623157e308,
        'deci' => '-99999999999999999999.9999999999', 'day' => '1000-01-01', 'span' => '-838:59:58.999999',
        'moment' => '1000-01-01 00:00:00.000001', 'stamp' => '1970-01-02 03:04:05.000006', 'year' => 1901, 'fixed' => '',
        'text_short' => '', 'text_long' => '', 'bin_fixed' => "\0\0\0\0", 'bin_short' => '', 'bin_long' => '', 'bits' => 0,
        'choice' => 'red', 'flags' => '', 'doc' => '[]',
    ];
    $highest = [
        'i8' => 127, 'u8' => 255, 'i16' => 32767, 'u16' => 65535, 'i24' => 8388607, 'u24' => 16777215,
        'i32' => 2147483647, 'u32' => 4294967295, 'i64' => PHP_INT_MAX, 'u64' => '18446744073709551615', 'f32' => 0.25,
        'f64' => 2.2250738585072014e-308, 'deci' => '99999999999999999999.9999999999', 'day' => '9999-12-31',
        'span' => '838:59:58.999999', 'moment' => '9999-12-31 23:59:59.999999', 'stamp' => '2038-01-18 03:14:07.999999',
        'year' => 2155, 'fixed' => 'ten 🦡 x \\', 'text_short' => "it's 🦡 \"%s\" \\ \0 \n ü",
        'text_long' => str_repeat('🦡', 5000), 'bin_fixed' => "\xff\0'\\", 'bin_short' => substr($bytes, 0, 100),
        'bin_long' => str_repeat($bytes, 100), 'bits' => 1023, 'choice' => 'grün 🦡', 'flags' => 'x,z',
        'doc' => '{"a": [1, 2.5, null, "🦡"], "b": {"c": true}}',
    ];
    return [$lowest, $highest, array_map(fn($value) => null, $lowest)];
}

/** A cell as it is compared: documents parsed, numbers as numbers whatever the protocol gave. */
function normal(string $column, mixed $value): mixed
{
    return match (true) {
        $value === null => null,
        $column === 'doc' => json_decode($value, true),
        $column === 'bits' && is_string($value) && !ctype_digit($value) => hexdec(bin2hex($value)),
        $column === 'f32', $column === 'f64' => (float) $value,
        default => (string) $value,
    };
}

/** Runs the topics and tells of each; ends the process. */
function run_topics(string $name, array $topics): never
{
    $failed = 0;
    foreach ($topics as $topic => $test) {
        try {
            $test();
            echo "test $name::$topic ... ok\n";
        } catch (Throwable $error) {
            $failed++;
            echo $error, "\ntest $name::$topic ... FAILED\n";
        }
    }
    exit($failed ? 1 : 0);
}
