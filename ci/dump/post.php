<?php
// Makes a post with a tag and a comment in the WordPress whose folder is the argument.
require $argv[1] . '/wp-load.php';
$post = wp_insert_post([
    'post_title' => 'Setts and sounds',
    'post_content' => "It\u{2019}s \u{1F9A1} \"here\" \\\\ there",
    'post_status' => 'publish',
    'tags_input' => ['nocturnal'],
], true);
if (is_wp_error($post)) {
    fwrite(STDERR, $post->get_error_message() . "\n");
    exit(1);
}
wp_insert_comment(['comment_post_ID' => $post, 'comment_content' => 'So it is', 'comment_author' => 'Brock']);
